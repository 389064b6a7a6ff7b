// needs: lab.js
// What was done, as an address, as Python and as a picture.
live.part("guardar", (element) => {
  const { el, div, button, percent } = Elements;
  const { SIDE } = Pictures;
  const { state } = lab;
  const code = el("code");
  const address = () => location.href.replace(/#.*/, "") + Address.write(state);
  const buttons = [
    button("Copiar la dirección", () => copy(address(), "Dirección copiada.")),
    button("Copiar el Python equivalente", () => copy(code.textContent, "Python copiado.")),
    button("Guardar la imagen", save),
  ];
  const summary = el("summary", {}, "Ver el Python equivalente");
  element.append(div("live-buttons", ...buttons), el("details", {}, summary, el("pre", { tabindex: 0 }, code)));

  // As what is selected, which a page opened as a file can copy too.
  function copy(text, said) {
    const [area, before] = [el("textarea", { class: "live-hidden" }, text), document.activeElement];
    element.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    /** @type {HTMLElement} */ (before).focus();
    say(copied ? said : "El navegador no deja copiar: la dirección está en su barra; el Python, más abajo.", true);
  }

  // What computes the same with the project's package.
  function python() {
    const { model, code } = lab.now;
    const { autoencoder, classifier } = model.python;
    const numbers = Array.from(code, (value) => Number(value.toPrecision(9))).join(", ");
    const bytes = btoa(String.fromCharCode(...state.bytes)).replace(/.{1,88}/g, '\n    "$&"');
    const drawn = state.garment === null;
    const chosen = `data.load().test[[${Garments.positions[state.garment ?? 0]}]]`;
    const lines = [
      drawn && "import base64\n",
      "import torch\n",
      "from moda import data",
      `from moda.runs import AutoencoderRun, ClassifierRun, obtain\n`,
      drawn && `dibujo = bytearray(base64.b64decode(${bytes}\n))`,
      drawn && "x = torch.frombuffer(dibujo, dtype=torch.uint8).view(1, 1, 28, 28) / 255",
      !drawn && `x = ${chosen}.pixels  # ${Garments.className(state.garment)}`,
      `autoencoder = obtain(${autoencoder}).model()`,
      `clasificador = obtain(${classifier}).model()`,
      "with torch.no_grad():",
      `    codigo = ${state.code ? `torch.tensor([[${numbers}]])` : "autoencoder.encoder(x)"}`,
      "    reconstruccion = autoencoder.decoder(codigo)",
      "    probabilidades = clasificador(x).softmax(1)",
      "for clase, probabilidad in zip(data.CLASSES, probabilidades[0]):",
      '    print(f"{clase}: {100 * probabilidad:.1f} %")',
    ];
    return lines.filter(Boolean).join("\n") + "\n";
  }

  function save() {
    const { model, pixels, output, probabilities } = lab.now;
    const sheet = Pictures.canvas("", 920, 340);
    const page = Pictures.context(sheet);
    page.fillStyle = "white";
    page.fillRect(0, 0, sheet.width, sheet.height);
    page.imageSmoothingEnabled = false;
    page.fillStyle = "black";
    page.font = "16px sans-serif";
    [pixels, output].forEach((values, i) => {
      const small = Pictures.canvas("");
      Pictures.paint(small, values);
      page.drawImage(small, 20 + 300 * i, 40, 10 * SIDE, 10 * SIDE);
      page.fillText(["Prenda", "Reconstrucción"][i], 20 + 300 * i, 28);
    });
    page.fillText(model.title, 620, 28);
    Garments.classes.forEach((name, label) => {
      const y = 56 + 28 * label;
      page.fillText(name, 620, y);
      page.fillRect(725, y - 12, 110 * probabilities[label], 14);
      page.fillText(percent(probabilities[label]), 845, y);
    });
    el("a", { href: sheet.toDataURL(), download: "laboratorio.png" }).click();
  }

  return () => {
    code.textContent = python();
  };
});
