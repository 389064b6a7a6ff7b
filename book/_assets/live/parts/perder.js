// @ts-check
// needs: lab.js
// Pixels that do not change the code, and pixels that the code does not change.
"use strict";

live.part("perder", (element, { lab }) => {
  const { el, div, button, figure } = Elements;
  const { SIDE, SIZE } = Pictures;
  const painted = Pictures.canvas("La prenda con las filas y columnas 26 y 27 pintadas");
  const difference = Pictures.canvas("Cuánto cambia la reconstrucción con otro código");
  const change = figure("Cambio de la reconstrucción", difference);
  const [ofCode, ofImage] = ["Código", "Imagen"].map(() => el("p", { "aria-live": "polite" }));
  /** @type {Float32Array | null} */
  let noise = null;
  /** @type {Float32Array | null} */
  let other = null;
  const random = (length) => Float32Array.from({ length }, Math.random);
  const paint = () => {
    noise = random(SIZE);
    lab.refresh();
  };
  const alter = () => {
    other = random(lab.now.own.length);
    lab.refresh();
  };
  element.append(
    div(
      "live-halves",
      el("div", {}, button("Pintar solo las filas y columnas 26 y 27", paint), figure("Prenda", painted), ofCode),
      el("div", {}, button("Cambiar solo el código", alter), change, ofImage),
    ),
  );

  const border = (at, first) => Math.floor(at / SIDE) >= first || at % SIDE >= first;
  const greatest = (changes) => changes.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  function amount(value) {
    if (value === 0) return "0: nada";
    return value < 1e-6 ? "menos de una millonésima: nada más que redondeo" : value.toFixed(3);
  }
  const less = (a, b) => a.map((value, i) => value - b[i]);

  function drawPainted({ model, pixels, own }) {
    const changed = pixels.map((value, at) => (noise && border(at, 26) ? noise[at] : value));
    Pictures.paint(painted, changed);
    const most = greatest(less(Models.encode(model, changed), own));
    ofCode.textContent = noise ? `Lo que más cambia un número del código: ${amount(most)}.` : "";
  }

  function drawAltered({ model, own }) {
    const altered = own.map((value, i) => value + 4 * (other?.[i] ?? 0));
    const changes = less(Models.decode(model, altered), Models.decode(model, own));
    Pictures.paint(difference, changes, Pictures.SIGNED);
    change.hidden = !other; // it would be black
    const [edge, rest] = [true, false].map((in25) => greatest(changes.filter((_, at) => border(at, 25) === in25)));
    ofImage.textContent = other
      ? `Lo que más cambia un píxel de las filas y columnas 25 a 27: ${amount(edge)}. De las demás: ${amount(rest)}.`
      : "Se ve al cambiar el código.";
  }

  return () => {
    if (other?.length !== lab.now.own.length) other = null; // that of another network
    drawPainted(lab.now);
    drawAltered(lab.now);
  };
});
