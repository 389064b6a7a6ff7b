// needs: lab.js
// What each network makes of the same garment.
live.part("comparar", (element) => {
  const { el, div, button, figure } = Elements;
  const megabytes = networkData.slice(1).reduce((sum, { kB }) => sum + kB / 1000, 0);
  const all = `Comparar las ${networkData.length} redes (${megabytes.toFixed(1)} MB)`;
  const start = button(all, () => compare().catch(sayError));
  const box = div("live-pictures live-networks");
  const source = Pictures.canvas("Prenda");
  let views = [];
  element.append(start, box);

  async function compare() {
    say("Cargando las otras redes.");
    const models = await Promise.all(networkData.map(({ id }) => Models.load(id)));
    say("Las redes están cargadas.");
    const view = (model) => Pictures.canvas(`Reconstrucción de la red ${model.title}`);
    views = models.map((model) => ({ model, picture: view(model), text: el("span") }));
    const figures = views.map(({ model, picture, text }) => figure(model.title, picture, el("br"), text));
    box.replaceChildren(figure("Prenda", source), ...figures);
    start.hidden = true;
    lab.refresh();
  }

  return () => {
    const { pixels } = lab.now;
    Pictures.paint(source, pixels);
    for (const { model, picture, text } of views) {
      const output = Models.decode(model, Models.encode(model, pixels));
      const probabilities = Models.classify(model, pixels);
      Pictures.paint(picture, output);
      const error = Numbers.squaredError(output, pixels).toFixed(4);
      text.textContent = `ECM ${error}. ${lab.told(probabilities)}`;
    }
  };
});
