// needs: charts.js cases.js data/gradient.js
// One weight goes down the curve of a batch's error by its slope, or past the bottom if the rate is too large.
live.part("gradiente", (element) => {
  const { div, button, note, slider, heading } = Elements;
  const { text } = Numbers;
  const { images, levels, square } = gradientData;
  const axes = { x: [-5, -4, -3, -2, -1, 0, 1], y: [0.1, 0.15, 0.2, 0.25, 0.3, 0.35] };
  const [LEAST, MOST, FASTEST, STEPS] = [-4, 1, 30, 20];
  const state = { start: 0.5, rate: 5, steps: 0 };

  // The mean of (y − x)² over all pixels, where y = σ(level + weight), and its slope.
  function at(weight) {
    let [error, slope] = [square, 0];
    for (const [level, share, x] of levels) {
      const y = 1 / (1 + Math.exp(-level - weight));
      error += share * y * (y - 2 * x);
      slope += share * 2 * (y - x) * y * (1 - y);
    }
    return { weight, error, slope };
  }
  const next = ({ weight, slope }, rate) => at(weight - rate * slope);
  const place = ({ weight, error }) => [weight, error];
  const points = Array.from({ length: 121 }, (_, i) => place(at(-5 + i / 20)));

  // Beyond `largest` a step from near the bottom ends farther from it.
  const bottom = Array(99).fill(10).reduce(next, at(0)).weight;
  const largest = 0.004 / (at(bottom + 0.001).slope - at(bottom - 0.001).slope);
  const about =
    `El peso es el sesgo de la última capa; los demás no cambian, ni las ${images} imágenes del lote. Cerca del fondo, ` +
    `con una tasa menor que ${largest.toFixed(1)} cada paso acerca el peso al fondo; con una mayor, lo aleja.`;

  const chart = Charts.curve("El ECM del lote", "Valor del peso", "ECM del lote; en verde, la pendiente");
  const limits = { min: LEAST, max: MOST, step: 0.1 };
  const start = slider("Valor inicial", limits, (value) => set({ start: value, steps: 0 }));
  const rate = slider("Tasa", { min: 1, max: FASTEST }, (value) => set({ rate: value }));
  const more = (name, steps) => button(name, () => set({ steps: state.steps + steps }));
  const back = button("Volver al comienzo", () => set({ steps: 0 }));
  const said = note();
  element.append(
    ...heading("¿Baja el error con cada paso?", more("Un paso", 1), more("Diez pasos", 10), back),
    start.row,
    rate.row,
    div("live-halves live-with-map", chart.picture, div("", said, note(about))),
  );

  function sentence(now, before) {
    const [error, slope] = [now.error.toFixed(4), text(now.slope, 4)];
    if (!before) return `El ECM es ${error}; la pendiente, ${slope}.`;
    const [old, by] = [before.error.toFixed(4), text(before.slope, 4)];
    const product = `${text(state.rate)} × ${before.slope < 0 ? `(${by})` : by}`;
    const change = error === old ? "queda en" : error > old ? "sube a" : "baja a";
    const taken = `Paso ${state.steps}: ${text(before.weight)} − ${product} = ${text(now.weight)}`;
    return `${taken}. El ECM ${change} ${error}; la pendiente es ${slope}.`;
  }

  function draw() {
    const path = [at(state.start)];
    for (let i = 0; i < state.steps; i++) path.push(next(path[i], state.rate));
    const now = path[state.steps];
    const reach = Math.min(0.9, (now.error - 0.1) / Math.abs(now.slope)); // not below the axis
    const ends = [Math.max(-5, now.weight - reach), Math.min(MOST, now.weight + reach)];
    const others = [
      [ends.map((end) => [end, now.error + now.slope * (end - now.weight)]), "live-tangent"],
      [path.map(place), "live-steps"],
      ...path.map((one) => [[one, one].map(place), "live-stop"]),
    ];
    chart.show({ points, at: place(now), said: now.error.toFixed(4), ...axes, others });
    return (said.textContent = sentence(now, path[state.steps - 1]));
  }

  const fields = { valor: ["start", LEAST, MOST, 0.01], tasa: ["rate", 1, FASTEST, 0.1], pasos: ["steps", 0, STEPS] };
  const set = Cases.keep("gradiente", state, fields, draw, { start, rate });
});
