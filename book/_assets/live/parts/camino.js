// needs: lab.js
// From one garment to another, by their codes and by their pixels.
live.part("camino", (element) => {
  const { div, figure, slider, choice } = Elements;
  const titles = ["Desde", "Por el código", "Por los píxeles", "Hasta"];
  const pictures = titles.map((title) => Pictures.canvas(title));
  const names = Garments.labels.map((_, index) => Garments.name(index));
  const target = choice("Hasta", names, (index) => lab.set({ target: index }));
  const walk = slider("De una a otra", { min: 0, max: 1, step: 0.01 }, (step) => lab.set({ step }));
  const figures = titles.map((title, i) => figure(title, pictures[i]));
  element.append(div("live-buttons", target.row), walk.row, div("live-pictures", ...figures));

  return () => {
    const { model, pixels, own } = lab.now;
    const end = Garments.pixels(lab.state.target);
    const between = (a, b) => a.map((value, i) => value + lab.state.step * (b[i] - value));
    const byCode = Models.decode(model, between(own, Models.encode(model, end)));
    [pixels, byCode, between(pixels, end), end].forEach((values, i) => Pictures.paint(pictures[i], values));
    target.show(lab.state.target);
    walk.show(lab.state.step, `${Math.round(100 * lab.state.step)} %`);
  };
});
