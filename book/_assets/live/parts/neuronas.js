// needs: network.js pictures.js charts.js cases.js data/sizes.js
// What networks with more or fewer neurons make of the same garments.
live.part("neuronas", (element) => {
  const { el, div, note, figure, slider, heading } = Elements;
  const { nth, pixels } = Pictures;
  const { ns, errors, names, each } = sizeData;
  const [IMAGES, OUTPUTS] = [sizeData.images, sizeData.outputs].map(Network.bytes);
  const means = errors.map(Numbers.mean);
  const ends = errors.map((ofN) => [Math.min(...ofN), Math.max(...ofN)]);
  const state = { at: ns.indexOf(64) };

  const garments = names.map((name, i) => {
    const [image, output, error] = [Pictures.canvas(name), Pictures.canvas(`${name}, reconstrucción`), el("span")];
    Pictures.paint(image, pixels(nth(IMAGES, i)));
    return { output, error, box: el("div", {}, figure(name, image), figure("", output, error)) };
  });
  const size = slider("Neuronas (N)", { min: 0, max: ns.length - 1, step: 1 }, (at) => set({ at }));
  const said = note();
  const chart = Charts.curve("El ECM de prueba", "N, neuronas de la capa oculta", "ECM de prueba");
  const pictures = div("live-four", ...garments.map(({ box }) => box));
  element.append(...heading("¿Qué se gana con más neuronas?"), size.row, pictures, said, chart.picture);

  function draw() {
    const { at } = state;
    garments.forEach(({ output, error }, i) => {
      Pictures.paint(output, pixels(nth(OUTPUTS, at * names.length + i)));
      error.textContent = `ECM ${each[at][i].toFixed(4)}`;
    });
    size.show(at, String(ns[at]));
    size.input.setAttribute("aria-valuetext", `${ns[at]} neuronas`);
    const [least, most] = ends[at].map((error) => error.toFixed(4));
    const range = `Con ${ns[at]} neuronas, el ECM de prueba de ${errors[at].length} redes va de ${least} a ${most};`;
    said.textContent = `${range} las imágenes son de la primera. La curva es la media; las rayas, de menos a más error.`;
    chart.show({
      points: means.map((error, i) => [i, error]),
      at: [at, means[at]],
      said: means[at].toFixed(4),
      x: [...ns.keys()],
      y: [0, 0.03, 0.06, 0.09, 0.12],
      others: ends.map((pair, i) => [pair.map((error) => [i, error]), "live-other"]),
      name: (i) => String(ns[i]),
    });
    return range;
  }

  const set = Cases.keep("neuronas", state, { n: ["at", 0, ns.length - 1] }, draw);
});
