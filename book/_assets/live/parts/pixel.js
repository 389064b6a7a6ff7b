// needs: firsts.js pointing.js numbers.js cases.js
// The number of each pixel of a garment.
live.part("pixel", (element) => {
  const { div, note, heading } = Elements;
  const { SIDE, GREY } = Pictures;
  const SQUARE = 8;
  const state = { garment: 9, row: 11, column: 15 };
  const garment = Firsts.choice((value) => set({ garment: value }));
  const picture = Pictures.canvas("La prenda. Las flechas pasan de un píxel al de al lado.");
  const place = () => [state.row, state.column];
  const [framed, frame] = Pointing.make(picture, { place, choose: (row, column) => set({ row, column }), hover: true });
  const { numbers, show } = Numbers.table("El recuadro", SQUARE);
  const said = note();
  element.append(...heading("¿Qué número tiene cada píxel?", garment.row), div("live-halves", framed, numbers), said);

  function draw() {
    const bytes = Firsts.bytes(state.garment);
    const [top, left] = place().map((at) => Math.max(0, Math.min(SIDE - SQUARE, at - 4)));
    const pixel = (index) => (top + Math.floor(index / SQUARE)) * SIDE + left + (index % SQUARE);
    const here = state.row * SIDE + state.column;
    const piece = Array.from({ length: SQUARE ** 2 }, (_, index) => bytes[pixel(index)]);
    Pictures.paint(picture, Firsts.pixels(state.garment));
    frame(top, left, SQUARE);
    show(piece, (byte) => GREY(byte / 255), { marked: (index) => pixel(index) === here });
    const text = `Fila ${state.row}, columna ${state.column}: ${bytes[here]}.`;
    said.textContent = `${text} La red recibe ${bytes[here]} / 255 = ${(bytes[here] / 255).toFixed(3)}.`;
    return text;
  }

  const fields = { prenda: ["garment", 0, 9], fila: ["row", 0, SIDE - 1], columna: ["column", 0, SIDE - 1] };
  const set = Cases.keep("pixel", state, fields, draw, { garment });
});
