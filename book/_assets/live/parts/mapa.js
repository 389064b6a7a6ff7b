// @ts-check
// needs: lab.js
// The garments in the two directions in which their codes vary most, and what the decoder draws in between.
"use strict";

live.part("mapa", (element, { lab }) => {
  const { el, div, button, note, figure, slider } = Elements;
  const garmentView = Pictures.canvas("Prenda señalada");
  const outputView = Pictures.canvas("Lo que el decodificador dibuja ahí");
  const caption = note();
  const first = lab.state.garment ?? 0;
  const points = Garments.labels.map((_, index) =>
    button("", () => lab.take(index), {
      class: "live-point",
      tabindex: index === first ? 0 : -1,
      "aria-label": Garments.name(index),
      onmouseenter: () => point(index),
      onfocus: () => point(index),
    }),
  );
  const cross = el("span", { class: "live-cross" });
  const says = "Mapa de las cien prendas. Las flechas llevan de una a la vecina; Intro la lleva al laboratorio.";
  const attributes = { class: "live-map", role: "group", "aria-label": says, onclick: click, onkeydown: arrow };
  const ground = el("div", attributes, ...points, cross);
  const wish = () => ask([Number(across.input.value), Number(up.input.value)]);
  const [across, up] = ["Hacia la derecha", "Hacia arriba"].map((label) =>
    slider(label, { min: 0, max: 1, step: 0.01 }, wish),
  );
  const views = div("live-pictures", figure("Prenda", garmentView), figure("Decodificada", outputView));
  const hint =
    "Una prenda se mira al señalarla y pasa al laboratorio con un clic. Un clic en el fondo, o estos dos controles, " +
    "decodifican un punto cualquiera:";
  const both = div("live-halves live-with-map", ground, el("div", {}, views, caption));
  element.append(both, el("p", {}, hint), across.row, up.row);

  /** @type {Model | null} */
  let built = null; // with its codes
  let limits = [];
  const position = (place) =>
    place.map((value, axis) => (value - limits[axis][0]) / (limits[axis][1] - limits[axis][0]));

  function point(index) {
    if (!built?.ready) return;
    Pictures.paint(garmentView, Garments.pixels(index));
    Pictures.paint(outputView, Models.decode(built, built.ready.codes[index]));
    caption.textContent = `${Garments.name(index)}: la prenda y su reconstrucción`;
    points.forEach((other, i) => (other.tabIndex = i === index ? 0 : -1));
  }

  // A point of the plane has a code: the mean and so much of each direction. No neuron is below 0.
  function ask(wanted) {
    if (!built?.ready) return;
    const at = wanted.map((part) => Math.max(0, Math.min(1, part)));
    const { mean, plane } = built.ready;
    const amounts = at.map((part, axis) => limits[axis][0] + part * (limits[axis][1] - limits[axis][0]));
    const [right, high] = plane.directions;
    const code = mean.map((value, i) => Math.max(0, value + amounts[0] * right[i] + amounts[1] * high[i]));
    Pictures.context(garmentView).clearRect(0, 0, garmentView.width, garmentView.height);
    Pictures.paint(outputView, Models.decode(built, code));
    caption.textContent = "Un punto donde no hay ninguna prenda";
    [across, up].forEach((control, axis) => control.show(at[axis], amounts[axis].toFixed(1)));
    [cross.style.left, cross.style.bottom] = at.map((part) => `${100 * part}%`);
    cross.hidden = false;
  }

  function click(event) {
    if (event.target !== ground) return;
    const box = ground.getBoundingClientRect();
    ask([(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height]);
  }

  function arrow(event) {
    const index = points.indexOf(event.target);
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!direction || index < 0 || !built?.ready) return;
    event.preventDefault();
    const places = built.ready.plane.places.map(position);
    // The nearest of those that lie more in that direction than to its side.
    const distance = ([x, y]) => {
      const [dx, dy] = [x - places[index][0], y - places[index][1]];
      const along = dx * direction[0] + dy * direction[1];
      const beside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
      return along > 0 && along >= beside ? along + beside : Infinity;
    };
    const distances = places.map(distance);
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest] < Infinity) points[nearest].focus();
  }

  /** @param {Summary} summary */
  function build({ plane }) {
    limits = [0, 1].map((axis) => {
      const values = plane.places.map((place) => place[axis]);
      // The map is less high than wide, and a picture on its edge needs the same room.
      const margin = (axis ? 0.1 : 0.06) * (Math.max(...values) - Math.min(...values));
      return [Math.min(...values) - margin, Math.max(...values) + margin];
    });
    plane.places.map(position).forEach(([x, y], index) => {
      points[index].style.left = `${100 * x}%`;
      points[index].style.bottom = `${100 * y}%`;
      Garments.thumbnail(points[index], index);
    });
    cross.hidden = true;
  }

  return () => {
    const { model } = lab.now;
    const { garment } = lab.state;
    if (!model.ready) return;
    if (built !== model) {
      build(model.ready);
      built = model;
      point(garment ?? first);
    }
    points.forEach((other, index) => other.classList.toggle("live-chosen", index === garment));
  };
});
