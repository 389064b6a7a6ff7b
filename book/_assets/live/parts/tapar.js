// @ts-check
// needs: lab.js
// A part of the garment is covered, and it is found which part decides its class.
"use strict";

live.part("tapar", (element, { lab }) => {
  const { div, button, note, figure, slider } = Elements;
  const { SIDE, HEAT, MARK } = Pictures;
  const GRID = SIDE / 2; // of the map, which covers every other place
  const picture = Pictures.canvas("La prenda con una parte tapada");
  picture.classList.add("live-cover");
  const heat = Pictures.canvas("Mapa de sensibilidad", GRID, GRID);
  const said = note("", { "aria-live": "polite" });
  const columns = ["Con la ReLU del artículo", "Sin ella"];
  const [table, show] = Plots.probabilities("Con la parte tapada", Garments.classes, columns);
  const control = (label, key, limits) => slider(label, { step: 1, ...limits }, (value) => move({ [key]: value }));
  const controls = {
    row: control("Fila", "row", { min: 0, max: SIDE - 1 }),
    column: control("Columna", "column", { min: 0, max: SIDE - 1 }),
    size: control("Lado", "size", { min: 5, max: 11, step: 2 }),
  };
  const measure = button("Mapa de sensibilidad", sensitivity);
  const left = Elements.el(
    "div",
    {},
    div("live-pictures", figure("Arrastre el parche", picture), figure("Sensibilidad", heat)),
  );
  left.append(...Object.values(controls).map(({ row }) => row), div("live-buttons", measure), said);
  element.append(div("live-halves", left, table));

  function move(to) {
    Object.assign(lab.state.patch, to);
    lab.refresh();
  }
  function drag({ clientX, clientY }) {
    const box = picture.getBoundingClientRect();
    const cell = (at, length) => Math.max(0, Math.min(SIDE - 1, Math.floor((at / length) * SIDE)));
    move({ row: cell(clientY - box.top, box.height), column: cell(clientX - box.left, box.width) });
  }
  picture.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    drag(event);
  });
  picture.addEventListener("pointermove", (event) => {
    if (picture.hasPointerCapture(event.pointerId)) drag(event);
  });

  function covered(pixels, { row, column, size }) {
    const half = (size - 1) / 2;
    const under = (at) => Math.abs(Math.floor(at / SIDE) - row) <= half && Math.abs((at % SIDE) - column) <= half;
    return pixels.map((value, at) => (under(at) ? 0 : value));
  }

  let measured = null; // of which pixels and size
  const same = (of) => of?.pixels === lab.now.pixels && of.size === lab.state.patch.size;
  async function sensitivity() {
    const { model, pixels, probabilities } = lab.now;
    const { size } = lab.state.patch;
    if (!probabilities) return;
    const [of, label] = [{ pixels, size }, Plots.best(probabilities)];
    const drops = new Float32Array(GRID * GRID);
    measured = of;
    for (let row = 0; row < GRID; row++) {
      for (let column = 0; column < GRID; column++) {
        const hidden = covered(pixels, { row: 2 * row, column: 2 * column, size });
        drops[row * GRID + column] = probabilities[label] - (Models.classify(model, hidden)?.[label] ?? 0);
      }
      Pictures.paint(
        heat,
        drops.map((drop) => Math.max(0, drop)),
        HEAT,
      );
      await new Promise((resolve) => setTimeout(resolve));
      if (!same(of)) return; // another garment meanwhile
    }
    const worst = Plots.best(drops);
    const place = `la fila ${2 * Math.floor(worst / GRID)} y la columna ${2 * (worst % GRID)}`;
    const points = `«${Garments.classes[label]}» ${(100 * drops[worst]).toFixed(1)} puntos`;
    said.textContent = `Donde más cuenta, alrededor de ${place}, tapar baja la probabilidad de ${points}.`;
  }

  return () => {
    const { model, pixels } = lab.now;
    const { patch } = lab.state;
    const hidden = covered(pixels, patch);
    Pictures.paint(picture, hidden);
    const context = Pictures.context(picture);
    const [left, top] = [patch.column, patch.row].map((at) => at - (patch.size - 1) / 2 - 0.5);
    context.strokeStyle = MARK;
    context.strokeRect(left, top, patch.size + 1, patch.size + 1);
    show([Models.classify(model, hidden), Models.classify(model, hidden, { relu: false })]);
    measure.disabled = !model.classifier;
    for (const [key, control] of Object.entries(controls)) control.show(patch[key]);
    if (same(measured)) return;
    measured = null;
    Pictures.paint(heat, new Float32Array(GRID * GRID), HEAT);
    said.textContent = "La sensibilidad se calcula con el botón.";
  };
});
