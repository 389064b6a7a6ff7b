// needs: firsts.js models.js pointing.js numbers.js cases.js
// What each stage of the autoencoder delivers, and where one of its numbers comes from.
live.part("arquitectura", (element) => {
  const { div, button, note, figure, heading } = Elements;
  const { text } = Numbers;
  const STAGES = [
    "imagen\n1 × 28 × 28",
    "convolución\n16 × 26 × 26",
    "max pooling\n16 × 13 × 13",
    "convolución\n32 × 11 × 11",
    "max pooling\n32 × 5 × 5",
    "aplanado\n800",
    "lineal: el código\n64",
    "lineal\n800",
    "reordenado\n32 × 5 × 5",
    "conv. transpuesta\n16 × 13 × 13",
    "conv. transpuesta\n1 × 28 × 28",
  ];
  // The place is that of the number on the picture of the stage.
  const state = { garment: 9, stage: 1, row: 10, column: 14 };
  // At first only what does not need the whole network, which comes when it is asked for.
  let layers = /** @type {Layer[]} */ ([{ type: "Conv2d", ...Firsts.first() }, { type: "ReLU" }]);

  const garment = Firsts.choice((value) => set({ garment: value }));
  const buttons = STAGES.map((name, stage) => button(name, () => set({ stage, row: 0, column: 0 })));
  const source = Pictures.canvas("La prenda, con los píxeles que llegan al número elegido");
  const maps = Pictures.canvas("Lo que entrega la etapa. Las flechas pasan de un número al de al lado.");
  const [ofSource, frameSource] = Pointing.framed(source);
  const [framed, frame] = Pointing.make(maps, { place: () => [state.row, state.column], choose });
  const said = note();
  element.append(
    ...heading("¿Qué entrega cada etapa, y de dónde sale cada número?", garment.row),
    div("live-stages", ...buttons),
    div("live-reach", figure("Lo que llega al número", ofSource), framed),
    said,
  );

  async function load() {
    const { encoder, decoder } = await Models.load(networkData[0].id);
    layers = [...encoder, ...decoder];
    set({});
  }

  const across = (shape) => Math.max(1, shape[0] / 4); // so many maps are side by side
  let [height, width] = [1, 1]; // of a map

  // The first and the last row of the garment, or columns, that reach one: from the code on, all that the encoder uses.
  function reach(before, at) {
    if (state.stage > 5) return [0, 25];
    const back = { Conv2d: ([from, to]) => [from, to + 2], MaxPool2d: ([from, to]) => [2 * from, 2 * to + 1] };
    return before.reduceRight((range, { layer }) => back[layer.type]?.(range) ?? range, [at, at]);
  }

  // Between two maps there is a line: whoever comes to it goes on.
  function choose(row, column) {
    const over = (to, from, side) => to + (to % (side + 1) === side ? Math.sign(to - from) || -1 : 0);
    set({ row: over(row, state.row, height), column: over(column, state.column, width) });
  }

  function draw() {
    if (state.stage > 1 && layers.length === 2) return void load().catch(sayError);
    const found = Models.stages(layers, Firsts.pixels(state.garment)).slice(0, state.stage + 1);
    const { layer, shape: own, raw, values } = found[state.stage];
    const shape = Pictures.asMaps(own);
    [height, width] = shape.slice(1);
    Pictures.paint(source, found[0].values);
    Pictures.paintMaps(maps, Pictures.scaled(values), shape, across(shape));
    state.row = Math.min(state.row - Number(state.row % (height + 1) === height), maps.height - 1);
    state.column = Math.min(state.column - Number(state.column % (width + 1) === width), maps.width - 1);
    frame(state.row, state.column, 1);

    const [row, column] = [state.row % (height + 1), state.column % (width + 1)];
    const map = across(shape) * Math.floor(state.row / (height + 1)) + Math.floor(state.column / (width + 1));
    const at = (map * height + row) * width + column;
    const place = state.stage === 5 ? [Math.floor((at % 25) / 5), at % 5] : [row, column];
    const [[top, bottom], [left, right]] = place.map((one) => reach(found, one));
    const blind = Math.max(row, column) >= { 9: 12, 10: 25 }[state.stage]; // what the transposed ones add is a bias
    frameSource(top, left, blind ? 0 : bottom - top + 1);
    buttons.forEach((one, stage) => one.setAttribute("aria-pressed", String(stage === state.stage)));

    const vector = own.length === 1;
    const name = vector ? `Número ${at}` : `Mapa ${map}, fila ${row}, columna ${column}`;
    const sum = made(layer, raw[at], values[at], vector ? at : map);
    const where = blind
      ? "Ningún píxel de la prenda llega a él: es igual con todas."
      : `Llegan a él las filas ${top} a ${bottom} y las columnas ${left} a ${right} de la prenda.`;
    return (said.textContent = `${name}: ${text(values[at])}${sum}. ${where}`);
  }

  function made({ type, weight, bias }, raw, value, output) {
    if (type === "MaxPool2d") return ", el mayor de un cuadrado de 2 × 2";
    if (!bias) return "";
    const own = bias.values[output];
    const count = weight.values.length / weight.shape[0];
    const parts = type === "ConvTranspose2d" ? "los sellos que caen ahí" : `${count} productos`;
    const after = value === raw ? "" : value === 0 ? "; ReLU lo reemplaza por 0" : "; lo demás lo hace la sigmoide";
    return `: ${parts} suman ${text(raw - own)}; con el sesgo, ${text(own)}, son ${text(raw)}${after}`;
  }

  const fields = {
    prenda: ["garment", 0, 9],
    etapa: ["stage", 0, 10],
    fila: ["row", 0, 400],
    columna: ["column", 0, 400],
  };
  const set = Cases.keep("arquitectura", state, fields, draw, { garment });
});
