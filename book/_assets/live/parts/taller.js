// needs: lab.js drawing.js
// A garment is chosen or drawn, and all that the network makes of it is seen.
live.part("taller", (element) => {
  const { el, div, button, note, figure, check, table, row } = Elements;
  const { canvas, paint, SIDE, SIZE, SIGNED } = Pictures;
  const { state } = lab;

  const again = () => state.drawing && prepare(state.drawing);
  const fill = check("Rellenar el contorno", again, true);
  const fit = check("Ajustar al marco", again, true);
  const over = check("Dibujar sobre la prenda", () => {});
  const erasing = () => eraser.getAttribute("aria-pressed") === "true";
  const toggle = () => eraser.setAttribute("aria-pressed", String(!erasing()));
  const eraser = button("Goma", toggle, { "aria-pressed": "false" });

  // The first stroke on a garment begins a drawing, unless the garment is to be changed.
  function begin(erase) {
    if (state.garment !== null && !over.input.checked && !erase) state.drawing = new Uint8Array(SIZE);
  }
  function stroke(from, to, erase) {
    const image = Drawing.stroked(state.drawing ?? state.bytes, from, to, erase);
    if (state.drawing) prepare(image);
    else lab.show(image);
  }
  function prepare(drawing) {
    let seen = drawing;
    if (fill.input.checked) seen = Drawing.filled(seen);
    if (fit.input.checked) seen = Drawing.fitted(seen);
    lab.show(seen, drawing);
  }
  const board = Drawing.board({ begin, stroke, erasing });

  function read() {
    const unreadable = () => say("Ese archivo no es una imagen que el navegador pueda leer.", true);
    if (file.files?.[0]) Drawing.fromFile(file.files[0]).then((image) => lab.show(image), unreadable);
    file.value = "";
  }
  const file = el("input", { type: "file", accept: "image/*", class: "live-hidden", onchange: read });
  const clear = () => lab.show(new Uint8Array(SIZE), new Uint8Array(SIZE));
  const mirror = () => lab.show(Drawing.mirrored(state.bytes), state.drawing && Drawing.mirrored(state.drawing));
  const tools = div("live-buttons", button("Borrar todo", clear), eraser, button("Reflejar", mirror));
  tools.append(el("label", { class: "live-file" }, "Cargar una imagen…", file), fill.row, fit.row, over.row);

  // If it does not come, the network that is still there is shown as chosen.
  const change = () => lab.choose(network.value).catch(sayError).then(lab.refresh);
  const size = (kB, i) => (i ? ` (${(kB / 1000).toFixed(1)} MB)` : ""); // of those that are still to come
  const networks = networkData.map(({ id, title, kB }, i) => el("option", { value: id }, title + size(kB, i)));
  const network = el("select", { onchange: change }, ...networks);

  const take = (i) => () => lab.take(10 * Number(shelf.select.value) + i);
  const shelf = Elements.choice("Prenda", Garments.classes, take(6));
  const small = Array.from({ length: 10 }, () => el("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" }));
  const pieces = small.map((picture, i) =>
    el("button", { type: "button", class: "live-garment", onclick: take(i) }, picture),
  );
  const some = (label, of) => el("div", { class: "live-garments", role: "group", "aria-label": label }, ...of);
  const choice = div("live-choice", shelf.row, some("Que reconoce mejor o peor", pieces.slice(3)));
  choice.append("Las más difíciles ", some("Las más difíciles", pieces.slice(0, 3)), el("label", {}, "Red ", network));

  // What comes later finds its place kept.
  const hint = note(state.garment === null ? "\u00a0" : labelled());
  const error = el("span", {}, "\u00a0");
  const codeTitle = note("\u00a0");
  const verdict = el("p", { class: "live-verdict" }, "Cargando la red…");
  const bars = Plots.probabilities("Probabilidades", Garments.classes, ["Probabilidad"]);
  bars.table.tHead?.classList.add("live-hidden");
  const [input, output] = [canvas("Lo que ve la red"), canvas("Reconstrucción")];
  const difference = canvas("Diferencia entre la reconstrucción y la prenda");
  const code = Plots.code("Código");
  const inNumbers = "El código, en números";
  const numbers = table("", "", ["Neurona", "Valor"], []);
  const scroll = el("div", { class: "live-scroll", tabindex: 0, role: "region", "aria-label": inNumbers }, numbers);
  const details = el("details", { ontoggle: lab.refresh }, el("summary", {}, inNumbers), scroll);
  const funnels = ["Codificador", "Decodificador"].map((name) => div("live-funnel", el("span", {}, name)));
  const path = div("live-path", figure("Lo que ve la red", input), funnels[0], code.box, funnels[1]);
  path.append(figure("Reconstrucción", output), figure("Diferencia", difference, el("br"), error), codeTitle);
  const workshop = div("live-workshop", el("div", {}, board.box, tools), el("div", {}, verdict, hint, bars.table));
  element.append(workshop, path, choice, details);

  function labelled() {
    const label = Garments.className(state.garment);
    return `Su etiqueta: ${label}. Para dibujar otra, basta con trazar su contorno sobre el recuadro.`;
  }

  // The shoes of Fashion-MNIST point to the left: one that points to the right is something else to the network.
  function mirrorHint() {
    const { model, pixels, probabilities } = lab.now;
    const other = Models.classify(model, Drawing.mirrored(pixels));
    const better = Plots.best(other) !== Plots.best(probabilities) && Math.max(...other) > Math.max(...probabilities);
    return better ? `Reflejado, sería: ${lab.told(other)}` : "";
  }

  function drawCode() {
    const { model, code: values } = lab.now;
    const mute = (neuron) => model.most[neuron] === 0;
    code.show(values, mute);
    const count = Array.from(values.keys()).filter(mute).length;
    const changed = state.code ? ", cambiado a mano" : "";
    const dots = count ? `. Con un punto, las ${count} que valen 0 con todas las prendas` : "";
    codeTitle.textContent = `Código: ${model.n} neuronas${changed}${dots}`;
    if (!details.open) return;
    numbers.tBodies[0].replaceChildren(...Array.from(values, (value, i) => row(String(i), value.toFixed(3))));
  }

  function drawChoice() {
    network.value = state.network;
    if (state.garment !== null) shelf.show(Garments.labels[state.garment]);
    pieces.forEach((piece, i) => {
      const index = 10 * Number(shelf.select.value) + i;
      paint(small[i], Garments.pixels(index));
      piece.setAttribute("aria-label", Garments.name(index));
      piece.setAttribute("aria-pressed", String(index === state.garment));
    });
  }

  return () => {
    const { now } = lab;
    const darker = now.output.map((value, i) => value - now.pixels[i]);
    paint(board.picture, state.drawing ? Pictures.pixels(state.drawing) : now.pixels);
    paint(input, now.pixels);
    paint(output, now.output);
    paint(difference, darker, SIGNED);
    error.textContent = `ECM ${now.error.toFixed(4)}`;
    bars.show([now.probabilities]);
    verdict.textContent = `La red ve: ${lab.told(now.probabilities)}`;
    hint.textContent = state.garment === null ? mirrorHint() : labelled();
    drawCode();
    drawChoice();
  };
});
