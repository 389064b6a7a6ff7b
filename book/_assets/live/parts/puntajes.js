// needs: firsts.js charts.js cases.js
// Ten scores, the probabilities that come of them, the error, and where it pushes each score.
live.part("puntajes", (element) => {
  const { el, div, button, percent, choice, check, table, row, heading } = Elements;
  const GARMENT = 6;
  const [LEAST, MOST] = [-4, 6];
  const state = { scores: Firsts.scores(GARMENT), relu: 1, label: GARMENT };

  const rows = Firsts.classes.map((name, k) => {
    const attributes = { type: "range", min: LEAST, max: MOST, step: 0.1, "aria-label": `Puntaje de ${name}` };
    const oninput = () => set({ scores: state.scores.with(k, Number(slider.value)) });
    const slider = el("input", { ...attributes, oninput });
    const kinds = ["number", "bar", "number", "push", "number"];
    const [score, bar, number, push, amount] = kinds.map((kind) => el("span", { class: `live-${kind}` }));
    const line = row(name, [slider, score], [bar, number], [push, amount]);
    return { line, slider, score, bar, number, push, amount };
  });
  const says = "La flecha dice hacia dónde se corrige cada puntaje; con ✕, la ReLU no deja pasar la corrección.";
  const lines = rows.map(({ line }) => line);
  const scores = table("live-bars live-scores", says, ["Clase", "Puntaje", "Probabilidad", "ŷ − y"], lines);
  const error = Charts.curve("El error", "Probabilidad de la clase verdadera (%)", "Error");
  const points = Array.from({ length: 200 }, (_, i) => [100 * 1.065 ** -i, i * Math.log(1.065)]);
  const label = choice("Clase verdadera", Firsts.classes, (value) => set({ label: value }));
  const relu = check("ReLU", (on) => set({ relu: on }));
  const zeros = button("Todos en 0", () => set({ scores: state.scores.map(() => 0) }));
  const back = button("Los de la prenda", () => set({ scores: Firsts.scores(GARMENT), label: GARMENT }));
  const question = "¿Cuánto cuesta un error, y hacia dónde empuja los puntajes?";
  element.append(
    ...heading(question, label.row, relu.row, zeros, back),
    div("live-halves live-with-map", scores, error.picture),
  );

  function draw() {
    const after = state.scores.map((score) => (state.relu ? Math.max(0, score) : score));
    const probabilities = Network.softmax(Float32Array.from(after));
    rows.forEach(({ line, slider, score, bar, number, push, amount }, k) => {
      const gradient = probabilities[k] - Number(k === state.label);
      const stopped = state.relu && state.scores[k] <= 0;
      slider.value = String(state.scores[k]);
      score.textContent = Numbers.text(state.scores[k], 1);
      bar.style.width = `${100 * probabilities[k]}%`;
      number.textContent = percent(probabilities[k]);
      push.textContent = stopped ? "✕" : gradient < 0 ? "→" : "←";
      push.style.fontSize = `${1 + (stopped ? 0 : Math.abs(gradient))}em`;
      amount.textContent = gradient.toFixed(3).replace("-", "−");
      line.classList.toggle("live-most", k === state.label);
    });
    const p = probabilities[state.label];
    const said = `${Numbers.text(100 * p, 1)} %: ${(-Math.log(p)).toFixed(2)}`;
    const y = [0, 1, 2, 3, 4, 5].map((part) => (-Math.log(p) > 5 ? 2.5 : 1) * part);
    const within = points.filter(([, cost]) => cost <= y[5]);
    error.show({ points: within, at: [100 * p, -Math.log(p)], said, x: [0, 25, 50, 75, 100], y });
    return `Probabilidad de la clase verdadera y error: ${said}`;
  }

  const fields = { puntajes: ["scores", LEAST, MOST, 0.001], relu: ["relu", 0, 1], verdadera: ["label", 0, 9] };
  const set = Cases.keep("puntajes", state, fields, draw, { label, relu });
});
