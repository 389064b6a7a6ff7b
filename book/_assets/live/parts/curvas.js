// needs: charts.js pointing.js cases.js data/curves.js
// The learning curves of some seeds: their mean, its band, and the one to which the reader points.
live.part("curvas", (element) => {
  const { el, div, button, note, check, heading } = Elements;
  const { seeds, training, validation, paper } = curveData;
  const EPOCHS = training[0].length;
  const state = { ticked: seeds.map(() => 1), run: 0, epoch: EPOCHS };
  const chosen = () => [...seeds.keys()].filter((run) => state.ticked[run]);

  const tick = (run) => (ticked) => set({ ticked: state.ticked.with(run, ticked), run });
  const boxes = seeds.map((seed, run) => check(String(seed), tick(run)));
  const group = el("fieldset", { class: "live-buttons" }, el("legend", {}, "Semillas del promedio"));
  group.append(...boxes.map(({ row }) => row));
  group.append(button("Todas", () => set({ ticked: seeds.map(() => 1) })));
  const titles = ["Una corrida", "El promedio de las semillas elegidas"];
  const [one, mean] = titles.map((title) => Charts.curve(title, "Época", `ECM: ${title.toLowerCase()}`));
  Pointing.listen(mean.picture, { at: point, step, hover: true });
  const [here, said] = [note(), note()];
  element.append(
    ...heading("¿Cuántas corridas hacen falta para que los picos se borren?"),
    group,
    div("live-halves", one.picture, mean.picture),
    note("En rojo, entrenamiento; en azul, a trazos, validación; bandas, un desvío estándar; finas, las elegidas."),
    here,
    said,
  );

  function point(down, across) {
    const [x, y] = mean.under(down, across);
    const epoch = Math.max(1, Math.min(EPOCHS, Math.round(x)));
    const away = (run) => Math.abs(validation[run][epoch - 1] - y);
    const [run = state.run] = chosen().sort((a, b) => away(a) - away(b));
    set({ epoch, run });
  }
  function step(rows, columns) {
    const runs = chosen();
    const run = runs.at((runs.indexOf(state.run) + rows) % runs.length) ?? state.run;
    set({ run, epoch: state.epoch + columns });
  }

  // The mean of each epoch, and the spread as the figures have it: that of one run is none.
  function average(lists) {
    const means = lists[0].map((_, i) => Numbers.mean(lists.map((list) => list[i])));
    const squares = (i) => lists.reduce((sum, list) => sum + (list[i] - means[i]) ** 2, 0);
    return { means, spread: means.map((_, i) => Math.sqrt(squares(i) / Math.max(1, lists.length - 1))) };
  }
  const along = (values) => values.map((value, i) => [i + 1, value]);
  const edge = ({ means, spread }, sign) => along(means.map((value, i) => value + sign * spread[i]));
  const jump = (values) => Numbers.mean(values.slice(1).map((value, i) => Math.abs(value - values[i])));

  const every = [...training, ...validation].flat();
  const [low, high] = [Math.floor(100 * Math.min(...every)), Math.ceil(100 * Math.max(...every))];
  const y = Array.from({ length: high - low + 1 }, (_, i) => (low + i) / 100);

  function draw() {
    const { run, epoch } = state;
    const runs = chosen();
    const others = [[along(validation[0].map(() => paper)), "live-other"]];
    said.textContent = "Ninguna semilla elegida.";
    const kinds = Object.entries({ training, validation });
    for (const [kind, all] of runs.length ? kinds : []) {
      const of = average(runs.map((i) => all[i]));
      others.push([[...edge(of, 1), ...edge(of, -1).reverse()], `live-${kind} live-band`]);
      if (all === validation) others.push(...runs.map((i) => [along(all[i]), "live-validation live-thin"]));
      others.push([along(of.means), `live-${kind}`]);
      const [last, spread] = [of.means, of.spread].map((values) => values[EPOCHS - 1].toFixed(4));
      said.textContent =
        `Promedio de ${runs.length}: ECM de validación final ${last} (desvío ${spread}). De una época a la siguiente, ` +
        `una corrida cambia ${Numbers.mean(runs.map((i) => jump(all[i]))).toFixed(5)}; el promedio, ${jump(of.means).toFixed(5)}.`;
    }
    const axes = { points: [], x: [1, Math.ceil(EPOCHS / 2), EPOCHS], y };
    const dot = { at: [epoch, validation[run][epoch - 1]], said: `semilla ${seeds[run]}` };
    const own = kinds.map(([kind, of]) => [along(of[run]), `live-${kind}`]);
    one.show({ ...axes, ...dot, others: own });
    mean.show({ ...axes, ...(runs.includes(run) ? dot : { said: "" }), others });
    boxes.forEach((box, i) => box.show(state.ticked[i]));
    const errors = [training, validation].map((of) => of[run][epoch - 1].toFixed(4));
    return (here.textContent = `Semilla ${seeds[run]}, época ${epoch}: ECM de entrenamiento ${errors[0]}, de validación ${errors[1]}.`);
  }

  const fields = { semillas: ["ticked", 0, 1], corrida: ["run", 0, seeds.length - 1], epoca: ["epoch", 1, EPOCHS] };
  const set = Cases.keep("curvas", state, fields, draw);
});
