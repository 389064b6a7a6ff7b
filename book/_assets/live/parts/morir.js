// needs: background.js elements.js cases.js notices.js data/networks.js data/codes.js
// Ten last layers of the classifier learn on codes, and some lose a class.
live.part("morir", (element) => {
  const { el, button, note, slider, choice, table, heading, percent } = Elements;
  const [STEPS, EVERY, NETWORKS] = [400, 10, 10];
  const [linear, relu, dropout] = networkData[0].layers.classifier.slice(-3); // the head
  const OUTPUTS = [
    { name: "la ReLU del artículo", activation: [relu], bias: 0 },
    { name: "sin ReLU", activation: [], bias: 0 },
    { name: "ReLU, con sesgos iniciales 1 más altos", activation: [relu], bias: 1 },
    { name: "ReLU con pendiente 0.01 bajo 0", activation: [{ type: "LeakyReLU", slope: 0.01 }], bias: 0 },
  ];
  const state = { output: 0, first: 0, step: 0 };
  let begun = "";
  let running = false;
  let history = []; // every EVERY steps

  // Runs in the worker. Of each network: for which part of the images each class has a score above 0, and its hits.
  function teacher({ layers, bias, seeds, codes, unit, labels, every }) {
    const numbers = Float32Array.from(codes, (code) => code * unit);
    const inputs = Network.rows({ shape: [labels.length], values: numbers }).map((code) => Network.tensor([64], code));
    const examples = inputs.map((input, i) => [input, Training.crossEntropy(labels[i])]);
    const networks = seeds.map((seed) => {
      const random = Random.seeded(seed);
      const network = Training.fresh(layers, random);
      network[0].bias.values.forEach((value, label, values) => (values[label] = value + bias));
      return { network, next: Training.course(network, examples, { size: 100, rate: 0.001, random }) };
    });

    function measured({ network }) {
      const positive = Array(10).fill(0);
      let hits = 0;
      inputs.forEach((input, i) => {
        const scores = Network.forward(network, input).values;
        scores.forEach((score, label) => (positive[label] += Number(score > 0)));
        hits += Number(scores.indexOf(Math.max(...scores)) === labels[i]);
      });
      return { shares: positive.map((count) => count / labels.length), hits: hits / labels.length };
    }
    const look = () => networks.map(measured);
    return {
      look,
      step() {
        for (const { next } of networks) for (let i = 0; i < every; i++) next();
        return look();
      },
    };
  }

  const tell = Background.worker(teacher, receive);
  const go = button("Entrenar las diez", train);
  const other = button("Sortear otras diez", () => set({ first: (state.first + NETWORKS) % 1000, step: 0 }));
  const names = OUTPUTS.map(({ name }) => name);
  const output = choice("Salida:", names, (index) => set({ output: index, step: 0 }));
  const step = slider("Paso", { min: 0, max: STEPS, step: EVERY }, (value) => set({ step: value }));
  const told = note();
  const caption = "Porcentaje de las prendas a las que cada clase da un puntaje mayor que 0";
  const heads = table("live-heads", caption, ["Semilla", ...codeData.classes, "Aciertos"], []);
  element.append(
    ...heading("De diez redes que solo difieren en el sorteo, ¿cuántas pierden una clase?", go, other, output.row),
    step.row,
    told,
    heads,
    note(
      "Cada fila es una última capa, con 650 pesos, que aprende de los códigos de 4000 imágenes; el codificador es el del " +
        "libro y no cambia. Los pesos iniciales son los de PyTorch con esa semilla; los sorteos del dropout son otros.",
    ),
  );

  function measures({ shares, hits }, i) {
    const cells = shares.map((share) => {
      const text = share && share < 0.005 ? "<1" : (100 * share).toFixed(0);
      return el("td", { class: share ? null : "live-dead", style: `--share: ${100 * share}%` }, text);
    });
    return el("tr", {}, el("th", { scope: "row" }, String(state.first + i)), ...cells, el("td", {}, percent(hits)));
  }

  function restart() {
    [history, running] = [[], false];
    const seeds = Array.from({ length: NETWORKS }, (_, i) => state.first + i);
    const { activation, bias } = OUTPUTS[state.output];
    const layers = [linear, ...activation, dropout];
    const codes = Network.bytes(codeData.codes);
    tell({ begin: { ...codeData, codes, layers, bias, seeds, every: EVERY } });
  }

  function train() {
    running = true;
    tell({ steps: STEPS / EVERY });
    say("Las diez redes empiezan a entrenarse.");
    show();
  }

  // While they train, the table follows.
  function receive(measured) {
    history.push(measured);
    if (running) state.step = EVERY * (history.length - 1);
    running &&= state.step < STEPS;
    show();
    if (state.step === STEPS) say(told.textContent ?? "");
  }

  function show() {
    const last = EVERY * Math.max(0, history.length - 1);
    const shown = Math.min(state.step, last);
    [go.disabled, step.input.disabled] = [running || last > 0, running || !last];
    step.show(shown);
    const now = history[shown / EVERY] ?? [];
    heads.tBodies[0].replaceChildren(...now.map(measures));
    const dead = now.filter(({ shares }) => shares.includes(0)).length;
    told.textContent = `Después de ${shown} pasos, en ${dead} de las ${NETWORKS} redes alguna clase no tiene puntaje mayor que 0 con ninguna prenda.`;
  }

  function draw() {
    const chosen = [state.output, state.first].join();
    if (chosen !== begun) restart();
    begun = chosen;
    show();
    return told.textContent ?? "";
  }

  const fields = { salida: ["output", 0, 3], semillas: ["first", 0, 990], paso: ["step", 0, STEPS, EVERY] };
  const set = Cases.keep("morir", state, fields, draw, { output });
});
