// needs: firsts.js charts.js cases.js
// What it costs to answer something else in place of a garment.
live.part("prendas", (element) => {
  const { div, note, figure, slider, choice, heading } = Elements;
  const { SIDE, SIZE } = Pictures;

  function shifted(image, by) {
    const from = (at) => (at % SIDE) - by;
    return image.map((_, at) => (from(at) >= 0 && from(at) < SIDE ? image[at - by] : 0));
  }
  const brightened = (image, by) => image.map((value) => Math.min(1, by * value));
  const mixed = (other) => (image, by) => image.map((value, at) => value + (by / 100) * (other[at] - value));
  const MIXED = { unit: "Parte de la otra (%)", range: [0, 100, 5], first: 50 };
  // What is answered: its name, what the slider is, from where to where it goes in which steps, and where it begins.
  const ANSWERS = [
    { name: "La misma, corrida", unit: "Píxeles a la derecha", range: [-6, 6, 1], first: 1, make: shifted },
    { name: "La misma, con otro brillo", unit: "Brillo, por", range: [0, 2, 0.1], first: 0.5, make: brightened },
    ...Firsts.classes.map((of, k) => ({ ...MIXED, name: `Una mezcla con: ${of}`, make: mixed(Firsts.pixels(k)) })),
  ];
  const state = { garment: 9, answer: 0, amount: 1 };

  const garment = Firsts.choice((value) => set({ garment: value }));
  const names = ANSWERS.map(({ name }) => name);
  const answer = choice("Respuesta", names, (value) => set({ answer: value, amount: ANSWERS[value].first }));
  const amount = slider("", {}, (value) => set({ amount: value }));
  const titles = ["La prenda", "Lo que se responde", "Los cuadrados de las diferencias, × 4"];
  const pictures = titles.map((title) => Pictures.canvas(title));
  const said = note();
  const error = Charts.curve("El ECM", "", "ECM");
  element.append(
    ...heading("¿Cuánto cuesta responder otra cosa en lugar de la prenda?", garment.row, answer.row),
    amount.row,
    div("live-three", ...titles.map((title, i) => figure(title, pictures[i]))),
    said,
    error.picture,
  );

  function draw() {
    const { unit, range, make } = ANSWERS[state.answer];
    const [min, max, step] = range;
    state.amount = Object.assign(amount.input, { min, max, step, value: state.amount }).valueAsNumber;
    const image = Firsts.pixels(state.garment);
    const cost = (by) => Numbers.squaredError(make(image, by), image);
    const count = Math.round((max - min) / step) + 1;
    const points = Array.from({ length: count }, (_, i) => min + i * step).map((by) => [by, cost(by)]);
    const top = Math.ceil(20 * Math.max(0.05, ...points.map(([, cost]) => cost))) / 20;

    const made = make(image, state.amount);
    const shown = [image, made, made.map((value, at) => 4 * (value - image[at]) ** 2)];
    shown.forEach((values, i) => Pictures.paint(pictures[i], values));
    amount.name.textContent = unit;
    const here = cost(state.amount);
    const text = here.toFixed(4);
    error.show({ points, at: [state.amount, here], said: text, x: [min, (min + max) / 2, max], y: [0, top / 2, top] });
    said.textContent = `Los ${SIZE} cuadrados suman ${(SIZE * here).toFixed(2)}; dividido por ${SIZE}, el ECM: ${text}.`;
    return `ECM ${text}`;
  }

  const fields = { prenda: ["garment", 0, 9], respuesta: ["answer", 0, 11], cuanto: ["amount", -6, 100, 0.1] };
  const set = Cases.keep("prendas", state, fields, draw, { garment, answer, amount });
});
