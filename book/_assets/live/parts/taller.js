// @ts-check
// needs: lab.js board.js drawing.js
// A garment is chosen or drawn, and all that the network makes of it is seen.
"use strict";

live.part("taller", (element, { lab, say }) => {
  const { el, div, button, note, figure, percent } = Elements;
  const { canvas, paint, SIZE, SIGNED } = Pictures;
  const { state } = lab;

  const again = { type: "checkbox", checked: true, onchange: () => state.drawing && prepare(state.drawing) };
  const [fill, fit] = [el("input", again), el("input", again)];
  const over = el("input", { type: "checkbox" });
  const erasing = () => eraser.getAttribute("aria-pressed") === "true";
  const toggle = () => eraser.setAttribute("aria-pressed", String(!erasing()));
  const eraser = button("Goma", toggle, { "aria-pressed": "false" });

  // The first stroke on a garment begins a drawing, unless the garment is to be changed.
  function begin(erase) {
    if (state.garment !== null && !over.checked && !erase) state.drawing = new Uint8Array(SIZE);
  }
  function stroke(from, to, erase) {
    const image = Drawing.stroked(state.drawing ?? state.bytes, from, to, erase);
    if (state.drawing) prepare(image);
    else lab.show(image);
  }
  function prepare(drawing) {
    let seen = drawing;
    if (fill.checked) seen = Drawing.filled(seen);
    if (fit.checked) seen = Drawing.fitted(seen);
    lab.show(seen, drawing);
  }
  const { frame, board } = Board.make({ begin, stroke, erasing, say });

  async function read() {
    try {
      if (file.files?.[0]) lab.show(await Drawing.fromFile(file.files[0]));
    } catch {
      say("Ese archivo no es una imagen que el navegador pueda leer.", true);
    }
    file.value = "";
  }
  const file = el("input", { type: "file", accept: "image/*", class: "live-hidden", onchange: read });
  const clear = () => lab.show(new Uint8Array(SIZE), new Uint8Array(SIZE));
  const mirror = () => lab.show(Drawing.mirrored(state.bytes), state.drawing && Drawing.mirrored(state.drawing));

  function change() {
    lab.choose(network.value).catch((error) => {
      say(error.message, true);
      lab.refresh(); // so that the network that is still there is shown as chosen
    });
  }
  const [first, ...others] = networkData;
  const network = el("select", { onchange: change }, el("option", { value: first.id }, first.title));
  for (const { id, title, kB } of others)
    network.append(el("option", { value: id }, `${title} (${(kB / 1000).toFixed(1)} MB)`));

  const shelf = el("select", { onchange: () => lab.take(10 * Number(shelf.value) + 5) }, ...Garments.classOptions());
  const take = (i) => () => lab.take(10 * Number(shelf.value) + i);
  const pieces = Array.from({ length: 10 }, (_, i) => button("", take(i), { class: "live-garment" }));

  // What comes later finds its place kept.
  const hint = note(state.garment === null ? "\u00a0" : labelled());
  const error = el("span", {}, "\u00a0");
  const codeTitle = note("\u00a0");
  const verdict = el("p", { class: "live-verdict" }, "Cargando la red…");
  const [table, showBars] = Plots.probabilities("Probabilidades", Garments.classes, ["Probabilidad"]);
  table.tHead?.classList.add("live-hidden");
  const [input, output] = [canvas("Lo que ve la red"), canvas("Reconstrucción")];
  const difference = canvas("Diferencia entre la reconstrucción y la prenda");
  const [code, showCode] = Plots.code("Código");
  const numbers = el("tbody");
  const inNumbers = "El código, en números";
  const head = el("tr", {}, ...["Neurona", "Valor"].map((name) => el("th", { scope: "col" }, name)));
  const scroll = { class: "live-scroll", tabindex: 0, role: "region", "aria-label": inNumbers };
  const details = el(
    "details",
    { ontoggle: lab.refresh },
    el("summary", {}, inNumbers),
    el("div", scroll, el("table", {}, el("thead", {}, head), numbers)),
  );

  const outputs = div("live-output", figure("Lo que ve la red", input), figure("Reconstrucción", output));
  outputs.append(figure("Diferencia", difference, el("br"), error));
  const tools = div("live-buttons", button("Borrar todo", clear), eraser, button("Reflejar", mirror));
  tools.append(
    el("label", { class: "live-file" }, "Cargar una imagen…", file),
    el("label", {}, fill, " Rellenar el contorno"),
    el("label", {}, fit, " Ajustar al marco"),
    el("label", {}, over, " Dibujar sobre la prenda"),
  );
  const ofClass = { class: "live-garments", role: "group", "aria-label": "Las diez de esa clase" };
  const choice = div("live-choice", el("label", {}, "Prenda ", shelf), el("div", ofClass, ...pieces));
  choice.append(el("label", {}, "Red ", network));
  element.append(verdict, hint, div("live-workshop", frame, table, outputs), tools, choice, codeTitle, code, details);

  function labelled() {
    const label = Garments.className(state.garment);
    return `Su etiqueta: ${label}. Para dibujar otra, basta con trazar su contorno sobre el recuadro.`;
  }

  // The shoes of Fashion-MNIST point to the left: one that points to the right is something else to the network.
  function mirrorHint() {
    const { model, pixels, probabilities } = lab.now;
    const other = Models.classify(model, Drawing.mirrored(pixels));
    if (!probabilities || !other) return "";
    const label = Plots.best(other);
    const better = label !== Plots.best(probabilities) && other[label] > Math.max(...probabilities);
    return better ? `Reflejado, sería: ${Garments.classes[label]}, ${percent(other[label])}` : "";
  }

  function drawCode() {
    const { model, code } = lab.now;
    const mute = (neuron) => model.ready?.most[neuron] === 0;
    showCode(code, mute);
    const count = Array.from(code.keys()).filter(mute).length;
    const changed = state.code ? ", cambiado a mano" : "";
    const dots = count ? `. Con un punto, las ${count} que valen 0 con todas las prendas` : "";
    codeTitle.textContent = `Código: ${model.n} neuronas${changed}${dots}`;
    if (!details.open) return;
    const row = (value, i) => el("tr", {}, el("th", { scope: "row" }, String(i)), el("td", {}, value.toFixed(3)));
    numbers.replaceChildren(...Array.from(code, row));
  }

  function drawChoice() {
    network.value = state.network;
    if (state.garment !== null) shelf.value = String(Garments.labels[state.garment]);
    pieces.forEach((piece, i) => {
      const index = 10 * Number(shelf.value) + i;
      Garments.thumbnail(piece, index);
      piece.setAttribute("aria-label", Garments.name(index));
      piece.setAttribute("aria-pressed", String(index === state.garment));
    });
  }

  return () => {
    const { now } = lab;
    paint(board, state.drawing ? Garments.toPixels(state.drawing) : now.pixels);
    paint(input, now.pixels);
    paint(output, now.output);
    paint(
      difference,
      now.output.map((value, i) => value - now.pixels[i]),
      SIGNED,
    );
    error.textContent = `ECM ${now.error.toFixed(4)}`;
    showBars([now.probabilities]);
    verdict.textContent = now.probabilities ? `La red ve: ${lab.seen()}` : lab.seen();
    hint.textContent = state.garment === null ? mirrorHint() : labelled();
    drawCode();
    drawChoice();
  };
});
