// needs: background.js charts.js pictures.js firsts.js cases.js notices.js data/networks.js
// The paper's autoencoder learns in the page, as in the ten lines of chapter 2.
live.part("entrenar", (element) => {
  const { el, div, button, note, figure, choice, heading } = Elements;
  const [EPOCHS, IMAGES, TOP] = [6, 2000, 0.3];
  const state = { rate: 0.001, size: 100, seed: 4, dropout: 1, garments: [9, 2] };
  let losses = [];
  let film = []; // by epoch, what the network made of the garments at its end
  let points = []; // of the curve
  let earlier = []; // those of the curve before, for comparison
  let begun = ""; // with which choices
  let running = false;
  let stocked = false; // whether the worker has the images

  // Runs in the worker.
  function learner({ layers, rate, size, seed, dropout }) {
    const random = Random.seeded(seed);
    const network = Training.fresh(layers, random);
    const image = (values) => Network.tensor([1, 28, 28], values);
    let garments = [];
    let next = () => NaN;
    const look = () => ({ outputs: garments.map((pixels) => Network.forward(network, image(pixels)).values) });
    return {
      look,
      step: () => ({ loss: next(), ...look() }),
      change(to) {
        garments = to.garments ?? garments;
        if (!to.images) return;
        const values = Float32Array.from(to.images, (byte) => byte / 255);
        const pixels = Network.rows({ shape: [values.length / 784], values });
        const examples = pixels.map((one) => [image(one), Training.squaredError(one)]);
        const trained = dropout ? network : network.filter(({ type }) => type !== "Dropout");
        next = Training.course(trained, examples, { size, rate, random });
      },
    };
  }

  const tell = Background.worker(learner, receive);
  const go = button("Entrenar", () => (running ? stop() : train(Infinity)));
  const once = button("Un paso", () => train(1));
  const anew = button("Empezar de nuevo", restart);
  const told = note();
  const chart = Charts.curve("ECM de cada lote", "Épocas", "ECM del lote");
  const views = state.garments.map((_, place) => view(place));
  const choices = [
    chosen("rate", "Tasa", [0.0001, 0.001, 0.003, 0.01, 0.03]),
    chosen("size", "Lote", [20, 50, 100, 500]),
    chosen("seed", "Semilla", [...Array(10).keys()]),
    chosen("dropout", "Dropout", [0, 1], ["no", "sí"]),
  ];
  element.append(
    ...heading("¿Qué aprende primero la red?", go, once, anew),
    told,
    chart.picture,
    div("live-halves", ...views.map(({ box }) => box)),
    el("details", {}, el("summary", {}, "Con otros valores"), div("live-choice", ...choices.map(({ row }) => row))),
    note("Cada semilla da los pesos iniciales y, sin dropout, la curva de PyTorch; el dropout sortea de otra manera."),
  );

  function chosen(key, word, values, names = values.map(String)) {
    return { key, values, ...choice(word, names, (index) => set({ [key]: values[index] })) };
  }

  function view(place) {
    const [of, output] = ["La prenda", "Lo que la red devuelve"].map((title) => Pictures.canvas(title));
    const error = el("span");
    const change = (label) => set({ garments: state.garments.with(place, label) });
    const { row, show } = choice(`Prenda ${place + 1}`, Firsts.classes, change);
    const pictures = div("live-pictures", figure("La prenda", of), figure("La red devuelve: ", output, error));
    const strip = div("live-film");
    return { box: div("live-learner", row, pictures, strip), show, of, output, error, strip };
  }

  function frame(values, epoch) {
    const picture = Pictures.canvas(epoch ? `Época ${epoch}` : "Sin entrenar");
    Pictures.paint(picture, values);
    return figure(String(epoch), picture);
  }

  const garments = () => state.garments.map(Firsts.pixels);
  const total = () => Math.ceil(IMAGES / state.size) * EPOCHS;

  function restart() {
    if (losses.length) earlier = points;
    [losses, film, running, stocked] = [[], [], false, false];
    tell({ begin: { layers: networkData[0].layers.autoencoder, ...state }, change: { garments: garments() } });
    show();
  }

  const train = (steps) => start(steps).catch(sayError).then(show);
  async function start(steps) {
    told.textContent = "Llegan las 2000 imágenes…";
    await live.script("data/training.js");
    if (!stocked) tell({ change: { images: Network.bytes(trainingData) } });
    stocked = true;
    running = steps > 1;
    tell({ steps: Math.min(steps, total() - losses.length) });
    if (running) say("La red empieza a entrenarse.");
  }

  function stop() {
    running = false;
    tell({ steps: 0 });
    show();
    say(told.textContent ?? "");
  }

  function receive({ loss, outputs }) {
    if (loss !== undefined && losses.push(loss) > total()) return void losses.pop(); // ordered twice
    film[Math.ceil((losses.length * EPOCHS) / total())] = outputs;
    views.forEach(({ of, output, error, strip }, i) => {
      const pixels = garments()[i];
      Pictures.paint(of, pixels);
      Pictures.paint(output, outputs[i]);
      error.textContent = `ECM ${Numbers.squaredError(pixels, outputs[i]).toFixed(3)}`;
      strip.replaceChildren(...film.flatMap((made, epoch) => frame(made[i], epoch)));
    });
    if (running && losses.length === total()) stop();
    else show();
  }

  function show() {
    const done = losses.length === total();
    const last = losses[losses.length - 1];
    go.textContent = running ? "Pausa" : losses.length && !done ? "Seguir" : "Entrenar";
    [go.disabled, once.disabled, anew.disabled] = [done, done || running, !losses.length];
    const now = losses.length ? `ECM del último: ${last.toFixed(4)}` : "todo sale del mismo gris";
    told.textContent = `${losses.length} de ${total()} lotes; ${now}.`;
    points = losses.map((loss, i) => [((i + 1) * EPOCHS) / total(), Math.min(loss, TOP)]);
    chart.show({
      points,
      at: points.at(-1),
      said: last?.toFixed(3) ?? "",
      x: [0, 1, 2, 3, 4, 5, 6],
      y: [0, 0.1, 0.2, TOP],
      others: [[earlier, "live-other"]],
    });
    for (const one of choices) one.show(one.values.indexOf(state[one.key]));
    views.forEach((view, i) => view.show(state.garments[i]));
  }

  // Another choice begins anew, other garments do not.
  function draw() {
    for (const { key, values } of choices)
      state[key] = values.find((value) => value >= 0.999 * state[key]) ?? values[0];
    const wanted = choices.map(({ key }) => state[key]).join();
    film = []; // it was of the garments before
    if (wanted !== begun) restart();
    else tell({ change: { garments: garments() } });
    begun = wanted;
    show();
  }

  const fields = { tasa: ["rate", 0, 1, 0.0001], lote: ["size", 1, IMAGES], semilla: ["seed", 0, 9] };
  Object.assign(fields, { dropout: ["dropout", 0, 1], prendas: ["garments", 0, 9] });
  const set = Cases.keep("entrenar", state, fields, draw);
});
