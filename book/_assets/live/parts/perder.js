// needs: lab.js
// Pixels that do not change the code, and pixels that the code does not change.
live.part("perder", (element) => {
  const { el, div, button, figure } = Elements;
  const { SIDE, SIZE } = Pictures;
  const painted = Pictures.canvas("La prenda con las filas y columnas 26 y 27 pintadas");
  const difference = Pictures.canvas("Cuánto cambia la reconstrucción con otro código");
  const change = figure("Cambio de la reconstrucción", difference);
  const [ofCode, ofImage] = ["Código", "Imagen"].map(() => el("p", { "aria-live": "polite" }));
  const random = {}; // the pixels and the code that were drawn, if any
  function draw(what, length) {
    random[what] = Float32Array.from({ length }, Math.random);
    lab.refresh();
  }
  const paint = button("Pintar solo las filas y columnas 26 y 27", () => draw("pixels", SIZE));
  const alter = button("Cambiar solo el código", () => draw("code", lab.now.own.length));
  const left = [paint, figure("Prenda", painted), ofCode];
  const right = [alter, change, ofImage];
  element.append(div("live-halves", el("div", {}, ...left), el("div", {}, ...right)));

  const border = (at, first) => Math.floor(at / SIDE) >= first || at % SIDE >= first;
  const less = (a, b) => a.map((value, i) => value - b[i]);
  function greatest(changes) {
    const most = changes.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (most === 0) return "0: nada";
    return most < 1e-6 ? "menos de una millonésima: nada más que redondeo" : most.toFixed(3);
  }

  return () => {
    const { model, pixels, own } = lab.now;
    const noise = random.pixels ?? pixels;
    const changed = pixels.map((value, at) => (border(at, 26) ? noise[at] : value));
    const most = greatest(less(Models.encode(model, changed), own));
    Pictures.paint(painted, changed);
    ofCode.textContent = random.pixels ? `Lo que más cambia un número del código: ${most}.` : "";

    if (random.code?.length !== own.length) delete random.code; // that of another network
    const other = own.map((value, i) => value + 4 * (random.code?.[i] ?? 0));
    const changes = less(Models.decode(model, other), Models.decode(model, own));
    Pictures.paint(difference, changes, Pictures.SIGNED);
    change.hidden = !random.code; // it would be black
    const [edge, rest] = [true, false].map((in25) => greatest(changes.filter((_, at) => border(at, 25) === in25)));
    ofImage.textContent = random.code
      ? `Lo que más cambia un píxel de las filas y columnas 25 a 27: ${edge}. De las demás: ${rest}.`
      : "Se ve al cambiar el código.";
  };
});
