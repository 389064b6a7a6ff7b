// needs: lab.js pointing.js
// A part of the garment is covered, and it is found which part decides its class.
live.part("tapar", (element) => {
  const { el, div, button, note, figure, slider } = Elements;
  const { SIDE, HEAT } = Pictures;
  const GRID = SIDE / 2; // of the map, which covers every other place
  const { state } = lab;
  const move = (to) => lab.set({ patch: { ...state.patch, ...to } });
  const picture = Pictures.canvas("La prenda con una parte tapada. Las flechas mueven el parche.");
  const [framed, frame] = Pointing.make(picture, {
    place: () => [state.patch.row, state.patch.column],
    choose: (row, column) => move({ row, column }),
  });
  framed.classList.add("live-cover");
  const heat = Pictures.canvas("Mapa de sensibilidad", GRID, GRID);
  const said = note("", { "aria-live": "polite" });
  const columns = ["La red", "Sin ReLU de salida"];
  const bars = Plots.probabilities("Con la parte tapada", Garments.classes, columns);
  const controls = {
    row: slider("Fila", { min: 0, max: SIDE - 1 }, (row) => move({ row })),
    column: slider("Columna", { min: 0, max: SIDE - 1 }, (column) => move({ column })),
    size: slider("Lado", { min: 5, max: 11, step: 2 }, (size) => move({ size })),
  };
  const measure = button("Mapa de sensibilidad", sensitivity);
  const pictures = div("live-pictures", figure("Arrastre el parche", framed), figure("Sensibilidad", heat));
  const left = el("div", {}, pictures, ...Object.values(controls).map(({ row }) => row));
  left.append(div("live-buttons", measure), said);
  element.append(div("live-halves", left, bars.table));

  function covered(pixels, { row, column, size }) {
    const half = (size - 1) / 2;
    const under = (at) => Math.abs(Math.floor(at / SIDE) - row) <= half && Math.abs((at % SIDE) - column) <= half;
    return pixels.map((value, at) => (under(at) ? 0 : value));
  }

  let measured = null; // of which pixels and size
  const same = (of) => of?.pixels === lab.now.pixels && of.size === state.patch.size;
  async function sensitivity() {
    const { model, pixels, probabilities } = lab.now;
    const { size } = state.patch;
    const [of, label] = [{ pixels, size }, Plots.best(probabilities)];
    const drops = new Float32Array(GRID * GRID);
    measured = of;
    for (let row = 0; row < GRID; row++) {
      for (let column = 0; column < GRID; column++) {
        const hidden = covered(pixels, { row: 2 * row, column: 2 * column, size });
        drops[row * GRID + column] = probabilities[label] - Models.classify(model, hidden)[label];
      }
      const lower = drops.map((drop) => Math.max(0, drop));
      Pictures.paint(heat, lower, HEAT);
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
    const { row, column, size } = state.patch;
    const hidden = covered(pixels, state.patch);
    Pictures.paint(picture, hidden);
    frame(row - (size - 1) / 2, column - (size - 1) / 2, size);
    bars.show([Models.classify(model, hidden), Models.classify(model, hidden, { relu: false })]);
    for (const [key, control] of Object.entries(controls)) control.show(state.patch[key]);
    if (same(measured)) return;
    measured = null;
    Pictures.paint(heat, new Float32Array(GRID * GRID), HEAT);
    said.textContent = "La sensibilidad se calcula con el botón.";
  };
});
