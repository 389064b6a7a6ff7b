// needs: firsts.js charts.js cases.js data/brightness.js
// What the error is when the output is made lighter or darker, of one garment and of the test set.
live.part("brillo", (element) => {
  const { div, button, note, figure, slider, heading } = Elements;
  const { all, each } = brightnessData;
  const OUTPUTS = Network.bytes(brightnessData.outputs);
  const [LEAST, MOST] = [0.5, 2.5];
  const state = { label: 9, factor: 1 };

  // The mean of (f y − x)², from those of x², xy and y².
  const error = (/** @type {Means} */ [xx, xy, yy], factor) => xx - 2 * factor * xy + factor ** 2 * yy;
  const best = all[1] / all[2];
  const part = (100 * (1 - error(all, best) / error(all, 1))).toFixed(0);
  const factors = Array.from({ length: 81 }, (_, i) => LEAST + (i * (MOST - LEAST)) / 80);
  const curve = (of) => factors.map((factor) => [factor, error(of, factor)]);

  const titles = ["La prenda", "La reconstrucción", "La diferencia"];
  const pictures = titles.map((title) => Pictures.canvas(title));
  const figures = titles.map((title, i) => figure(title, pictures[i]));
  const up = "ECM de prueba; en gris, el de la prenda";
  const chart = Charts.curve("El ECM de prueba", "Por cuánto se multiplica la salida", up);
  const limits = { min: LEAST, max: MOST, step: 0.01 };
  const factor = slider("Salida, por", limits, (value) => set({ factor: value }));
  const garment = Firsts.choice((label) => set({ label }));
  const plain = button("Como sale", () => set({ factor: 1 }));
  const lightest = button("El mejor factor", () => set({ factor: best }));
  const said = note();
  element.append(
    ...heading("¿Cuánto del error es solo oscuridad?", garment.row, plain, lightest),
    factor.row,
    div("live-halves live-with-map", chart.picture, div("live-pictures", ...figures)),
    said,
  );

  function draw() {
    const own = each[state.label];
    const image = Firsts.pixels(state.label);
    const output = Pictures.pixels(Pictures.nth(OUTPUTS, state.label)).map((value) => state.factor * value);
    const difference = output.map((value, at) => value - image[at]);
    Pictures.paint(pictures[0], image);
    Pictures.paint(pictures[1], output);
    Pictures.paint(pictures[2], difference, Pictures.SIGNED);
    factor.show(state.factor, state.factor.toFixed(2));
    const [ofOwn, mean] = [own, all].map((of) => error(of, state.factor).toFixed(4));
    const errors = `ECM de esta prenda: ${ofOwn}; de las 10000 de prueba, en promedio: ${mean}.`;
    said.textContent = `${errors} Con ${best.toFixed(2)}, el mejor factor de esta red, desaparece el ${part} % del ECM.`;
    const highest = Math.max(...[all, own].flatMap((of) => [error(of, LEAST), error(of, MOST)]));
    const top = Math.ceil(10 * highest) / 10;
    chart.show({
      points: curve(all),
      at: [state.factor, error(all, state.factor)],
      said: mean,
      x: [0.5, 1, 1.5, 2, 2.5],
      y: [0, top / 2, top],
      others: [[curve(own), "live-other"]],
    });
    return errors;
  }

  const fields = { prenda: ["label", 0, 9], factor: ["factor", LEAST, MOST, 0.0001] };
  const set = Cases.keep("brillo", state, fields, draw, { label: garment });
});
