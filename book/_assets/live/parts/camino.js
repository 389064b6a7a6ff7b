// @ts-check
// needs: lab.js
// From one garment to another, by their codes and by their pixels.
"use strict";

live.part("camino", (element, { lab }) => {
  const { el, div, figure, slider } = Elements;
  const { state } = lab;
  const titles = ["Desde", "Por el código", "Por los píxeles", "Hasta"];
  const pictures = titles.map((title) => Pictures.canvas(title));
  const target = Garments.select("Hasta qué prenda", (index) => lab.set({ target: index }));
  const walk = slider("De una a otra", { min: 0, max: 1, step: 0.01 }, (step) => lab.set({ step }));
  element.append(
    div("live-buttons", el("label", {}, "Hasta ", target)),
    walk.row,
    div("live-pictures", ...titles.map((title, i) => figure(title, pictures[i]))),
  );

  return () => {
    const { model, pixels, own } = lab.now;
    const end = Garments.pixels(state.target);
    const between = (a, b) => a.map((value, i) => value + state.step * (b[i] - value));
    const byCode = Models.decode(model, between(own, Models.encode(model, end)));
    [pixels, byCode, between(pixels, end), end].forEach((values, i) => Pictures.paint(pictures[i], values));
    target.value = String(state.target);
    walk.show(state.step, `${Math.round(100 * state.step)} %`);
  };
});
