// @ts-check
// needs: lab.js
// What each network makes of the same garment.
"use strict";

live.part("comparar", (element, { lab, say }) => {
  const { el, div, button, figure, percent } = Elements;
  const megabytes = networkData.slice(1).reduce((sum, { kB }) => sum + (kB * 4) / 3000, 0);
  const start = button(`Comparar las ${networkData.length} redes (${megabytes.toFixed(1)} MB)`, compare);
  const box = div("live-pictures live-networks");
  const source = Pictures.canvas("Prenda");
  /** @type {{ model: Model, picture: HTMLCanvasElement, text: HTMLElement }[]} */
  let views = [];
  element.append(start, box);

  async function compare() {
    start.disabled = true;
    say("Cargando las otras redes.");
    try {
      build(await Promise.all(networkData.map(({ id }) => Models.load(id))));
      say("Las redes están cargadas.");
      start.hidden = true;
      lab.refresh();
    } catch (error) {
      start.disabled = false;
      say(error.message, true);
    }
  }

  /** @param {Model[]} models */
  function build(models) {
    const view = (model) => Pictures.canvas(`Reconstrucción de la red ${model.title}`);
    views = models.map((model) => ({ model, picture: view(model), text: el("span") }));
    const figures = views.map(({ model, picture, text }) => figure(model.title, picture, el("br"), text));
    box.replaceChildren(figure("Prenda", source), ...figures);
  }

  function seen(probabilities) {
    if (!probabilities) return "Sin clasificador";
    const label = Plots.best(probabilities);
    return `${Garments.classes[label]}, ${percent(probabilities[label])}`;
  }

  return () => {
    const { pixels } = lab.now;
    Pictures.paint(source, pixels);
    for (const { model, picture, text } of views) {
      const output = Models.decode(model, Models.encode(model, pixels));
      Pictures.paint(picture, output);
      const error = Models.squaredError(output, pixels).toFixed(4);
      text.textContent = `ECM ${error}. ${seen(Models.classify(model, pixels))}`;
    }
  };
});
