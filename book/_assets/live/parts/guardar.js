// @ts-check
// needs: lab.js
// What was done, as an address, as Python and as a picture.
"use strict";

live.part("guardar", (element, { lab, say }) => {
  const { el, div, button, percent } = Elements;
  const { SIDE, paint, canvas, context } = Pictures;
  const { state } = lab;
  const code = el("code");
  const copyAddress = () => copy(location.href.replace(/#.*/, "") + Address.write(state), "Dirección copiada.");
  const buttons = [
    button("Copiar la dirección", copyAddress),
    button("Copiar el Python equivalente", () => copy(code.textContent, "Python copiado.")),
    button("Guardar la imagen", save),
  ];
  const summary = el("summary", {}, "Ver el Python equivalente");
  element.append(div("live-buttons", ...buttons), el("details", {}, summary, el("pre", { tabindex: 0 }, code)));

  async function copy(text, said) {
    const copied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    const done = copied || copySelected(text);
    say(done ? said : "El navegador no deja copiar: el texto está a la vista más abajo.", true);
  }

  // A page opened as a file may have no clipboard; what is selected can be copied all the same.
  function copySelected(text) {
    const area = el("textarea", { class: "live-hidden", "aria-hidden": "true" });
    area.value = text;
    element.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }

  // What computes the same with the project's package.
  function python() {
    const { model, code } = lab.now;
    const { autoencoder, classifier } = model.python;
    const numbers = Array.from(code, (value) => String(Number(value.toPrecision(9))));
    const lines = [
      "import torch",
      "",
      "from moda import data",
      `from moda.runs import ${classifier ? "AutoencoderRun, ClassifierRun" : "AutoencoderRun"}, obtain`,
      "",
      ...source(),
      `autoencoder = obtain(${autoencoder}).model()`,
    ];
    if (state.garment === null) lines.unshift("import base64", "");
    if (classifier) lines.push(`clasificador = obtain(${classifier}).model()`);
    lines.push("with torch.no_grad():");
    lines.push(`    codigo = ${state.code ? `torch.tensor([[${numbers.join(", ")}]])` : "autoencoder.encoder(x)"}`);
    lines.push("    reconstruccion = autoencoder.decoder(codigo)");
    if (classifier) {
      lines.push("    probabilidades = clasificador(x).softmax(1)");
      lines.push("for clase, probabilidad in zip(data.CLASSES, probabilidades[0]):");
      lines.push('    print(f"{clase}: {100 * probabilidad:.1f} %")');
    }
    return [...lines, ""].join("\n");
  }

  function source() {
    if (state.garment !== null) {
      const position = Garments.positions[state.garment];
      return [`x = data.load().test[[${position}]].pixels  # ${Garments.className(state.garment)}`];
    }
    const pieces = btoa(String.fromCharCode(...state.bytes)).match(/.{1,88}/g) ?? [];
    return [
      "dibujo = base64.b64decode(",
      ...pieces.map((piece) => `    "${piece}"`),
      ")",
      "x = torch.frombuffer(bytearray(dibujo), dtype=torch.uint8).view(1, 1, 28, 28) / 255",
    ];
  }

  // The garment, what the network makes of it and the probabilities.
  function save() {
    const { model, pixels, output, probabilities } = lab.now;
    const sheet = canvas("", 920, 340);
    const page = context(sheet);
    page.fillStyle = "white";
    page.fillRect(0, 0, sheet.width, sheet.height);
    page.imageSmoothingEnabled = false;
    page.fillStyle = "black";
    page.font = "16px sans-serif";
    [pixels, output].forEach((values, i) => {
      const small = canvas("");
      paint(small, values);
      page.drawImage(small, 20 + 300 * i, 40, 10 * SIDE, 10 * SIDE);
      page.fillText(["Prenda", "Reconstrucción"][i], 20 + 300 * i, 28);
    });
    page.fillText(model.title, 620, 28);
    Garments.classes.forEach((name, label) => {
      const y = 56 + 28 * label;
      page.fillText(name, 620, y);
      if (!probabilities) return;
      page.fillRect(725, y - 12, 110 * probabilities[label], 14);
      page.fillText(percent(probabilities[label]), 845, y);
    });
    sheet.toBlob((blob) => {
      const href = URL.createObjectURL(/** @type {Blob} */ (blob));
      el("a", { href, download: "laboratorio.png" }).click();
      URL.revokeObjectURL(href);
    });
  }

  return () => {
    code.textContent = python();
  };
});
