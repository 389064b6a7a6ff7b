// needs: firsts.js pointing.js numbers.js cases.js
// A filter in each place of a garment: nine products and their sum.
live.part("convolucion", (element) => {
  const { el, div, note, figure, choice, heading } = Elements;
  const { SIDE, GREY, PUOR } = Pictures;
  const { text } = Numbers;
  const SUMS = SIDE - 2; // in a row of the map
  const EDGE = [-1, 0, 1, -1, 0, 1, -1, 0, 1];
  const FILTERS = [
    { name: "Borde vertical", weights: EDGE, bias: 0 },
    { name: "Borde horizontal (el traspuesto)", weights: [-1, -1, -1, 0, 0, 0, 1, 1, 1], bias: 0 },
    { name: "Desenfoque", weights: EDGE.map(() => 1 / 9), bias: 0 },
  ];
  for (let k = 0; k < 16; k++)
    FILTERS.push({ name: `Entrenado ${k + 1}`, weights: Firsts.filter(k), bias: Firsts.bias(k) });
  const EDITED = FILTERS.length;
  const state = { garment: 9, row: 10, column: 14, filter: 0, weights: EDGE, bias: 0, after: 0 };

  const garment = Firsts.choice((value) => set({ garment: value }));
  const names = [...FILTERS.map(({ name }) => name), "Editado a mano"];
  const filter = choice("Filtro", names, (value) => set({ filter: value }));
  const after = choice("Después", ["nada", "ReLU", "ReLU y max pooling"], (value) => set({ after: value }));
  const picture = Pictures.canvas("La prenda, con el recuadro del filtro. Las flechas lo mueven.");
  const map = Pictures.canvas("El mapa. Las flechas pasan de un número al de al lado.");
  const [framed, frame] = Pointing.make(picture, {
    place: () => [state.row + 1, state.column + 1],
    choose: (row, column) => set({ row: row - 1, column: column - 1 }),
  });
  const stride = () => (state.after === 2 ? 2 : 1);
  const inMap = () => [state.row, state.column].map((at) => Math.floor(at / stride()));
  const [framedMap, frameMap] = Pointing.make(map, {
    place: inMap,
    choose: (row, column) => set({ row: row * stride(), column: column * stride() }),
  });
  const size = el("span");
  const under = Numbers.table("Los píxeles", 3);
  const weights = Numbers.table("× el filtro", 3, (values) => set({ weights: values, filter: EDITED }));
  const products = Numbers.table("= los productos", 3);
  const said = note();
  element.append(
    ...heading("¿Qué encuentra un filtro en cada lugar de la prenda?", garment.row, filter.row, after.row),
    div("live-pair", figure("La imagen, 28 × 28", framed), figure("El mapa, ", framedMap, size)),
    div("live-sum", under.numbers, weights.numbers, products.numbers),
    said,
  );

  // What three layers make of a garment, one after another. Its pixels go to 255, and so does the bias.
  function maps(values) {
    const weight = Network.tensor([1, 1, 3, 3], Float32Array.from(state.weights));
    const bias = Network.tensor([1], Float32Array.of(255 * state.bias));
    const layers = [{ type: "Conv2d", weight, bias }, { type: "ReLU" }, { type: "MaxPool2d", kernel: 2, stride: 2 }];
    return Network.trace(layers, Network.tensor([1, SIDE, SIDE], values));
  }

  function draw() {
    Object.assign(state, FILTERS[state.filter]); // none if it was edited
    const { row, column } = state;
    const values = Float32Array.from(Firsts.bytes(state.garment));
    const outputs = maps(values);
    const shown = outputs[state.after];
    const most = Math.max(...shown.values.map(Math.abs)) || 1;
    [map.height, map.width] = shown.shape.slice(1);
    Pictures.paint(picture, Firsts.pixels(state.garment));
    Pictures.paint(map, Pictures.scaled(shown.values), state.after ? GREY : PUOR);
    frame(row, column, 3);
    const [down, across] = inMap();
    frameMap(down, across, 1);
    size.textContent = `${map.height} × ${map.width}`;

    const piece = state.weights.map((_, i) => values[(row + Math.floor(i / 3)) * SIDE + column + (i % 3)]);
    const multiplied = piece.map((value, i) => value * state.weights[i]);
    const limit = 2 * Math.max(...state.weights.map(Math.abs)) || 1;
    under.show(piece, (value) => GREY(value / 255));
    weights.show(state.weights, (value) => PUOR(value / limit));
    products.show(multiplied, (value) => PUOR((2 * value) / most));

    const [sum, last] = [outputs[0].values[row * SUMS + column], shown.values[down * map.width + across]];
    const steps = [`los nueve productos suman ${text(multiplied.reduce((total, value) => total + value, 0))}`];
    if (state.bias) steps.push(`con el sesgo, ${text(state.bias)} × 255, son ${text(sum)}`);
    if (state.after) steps.push(sum > 0 ? "ReLU lo deja como está" : "ReLU lo reemplaza por 0");
    if (state.after === 2) steps.push(`del cuadrado de 2 × 2 al que pertenece queda el mayor, ${text(last)}`);
    return (said.textContent = `Fila ${row}, columna ${column}: ${steps.join("; ")}.`);
  }

  const fields = {
    prenda: ["garment", 0, 9],
    fila: ["row", 0, SUMS - 1],
    columna: ["column", 0, SUMS - 1],
    filtro: ["filter", 0, EDITED],
    pesos: ["weights", -1e6, 1e6, 0.001],
    sesgo: ["bias", -9, 9, 0.001],
    luego: ["after", 0, 2],
  };
  const set = Cases.keep("convolucion", state, fields, draw, { garment, filter, after });
});
