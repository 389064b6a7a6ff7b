// needs: notices.js pictures.js pointing.js
// Images of 28 by 28 bytes, as a reader makes them.
const Drawing = (() => {
  const { SIDE, SIZE } = Pictures;

  // The garment cut out and enlarged until its longer side fills the image, as in Fashion-MNIST.
  function fitted(source, width = SIDE, height = SIDE) {
    const light = [...source.keys()].filter((at) => source[at] > 40);
    if (!light.length) return new Uint8Array(SIZE);
    const [columns, rows] = [light.map((at) => at % width), light.map((at) => Math.floor(at / width))];
    const [left, top] = [Math.min(...columns), Math.min(...rows)];
    const [wide, high] = [Math.max(...columns) - left + 1, Math.max(...rows) - top + 1];
    const from = Pictures.canvas("", width, height);
    Pictures.paint(from, Pictures.pixels(source));
    const context = Pictures.context(Pictures.canvas(""));
    const scale = SIDE / Math.max(wide, high);
    const [x, y] = [(SIDE - wide * scale) / 2, (SIDE - high * scale) / 2];
    context.fillRect(0, 0, SIDE, SIDE);
    context.imageSmoothingQuality = "high";
    context.drawImage(from, left, top, wide, high, x, y, wide * scale, high * scale);
    return grey(context, SIDE, SIDE);
  }

  function grey(/** @type {CanvasRenderingContext2D} */ context, width, height) {
    const { data } = context.getImageData(0, 0, width, height);
    const light = (_, i) => 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2] + 0.5;
    return Uint8Array.from({ length: width * height }, light);
  }

  // A picture of the reader's: grey, inverted if its border is light, cut out.
  async function fromFile(/** @type {File} */ file) {
    const bitmap = await createImageBitmap(file);
    const scale = 224 / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = Pictures.context(Pictures.canvas("", width, height));
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    const values = grey(context, width, height);
    const atBorder = (i) => i < width || i >= width * (height - 1) || i % width === 0 || i % width === width - 1;
    const border = values.filter((_, i) => atBorder(i));
    const light = border.reduce((sum, value) => sum + value, 0) / border.length > 127;
    return fitted(light ? values.map((value) => 255 - value) : values, width, height);
  }

  // Everything that the background cannot reach, so that an outline becomes a garment.
  function filled(bytes) {
    const outside = new Uint8Array(SIZE);
    const queue = [];
    for (let i = 0; i < SIDE; i++) queue.push(i, SIZE - 1 - i, i * SIDE, i * SIDE + SIDE - 1);
    while (queue.length) {
      const at = /** @type {number} */ (queue.pop());
      if (outside[at] || !(bytes[at] <= 90)) continue;
      outside[at] = 1;
      // Beyond an end of a row is an end of another, which is asked anyhow; beyond the first and the last, nothing.
      queue.push(at - SIDE, at + SIDE, at - 1, at + 1);
    }
    return bytes.map((value, at) => (outside[at] ? value : Math.max(value, 190)));
  }

  const mirrored = (image) => image.map((_, at) => image[at - (at % SIDE) + SIDE - 1 - (at % SIDE)]);

  // The image with a stretch of a stroke on it.
  function stroked(image, [x, y], to, erase) {
    const [dx, dy] = [to[0] - x, to[1] - y];
    return image.map((value, at) => {
      const [right, down] = [(at % SIDE) + 0.5 - x, Math.floor(at / SIDE) + 0.5 - y];
      const along = Math.max(0, Math.min(1, (right * dx + down * dy) / (dx ** 2 + dy ** 2 || 1)));
      const near = Math.max(0, Math.min(1, 1.6 - Math.hypot(right - along * dx, down - along * dy)));
      return erase ? Math.min(value, 255 * (1 - near)) : Math.max(value, 230 * near);
    });
  }

  // A canvas on which one draws: `begin` comes before a stroke, `stroke` with each stretch of it, from point to point.
  function board({ begin, stroke, erasing }) {
    const keys = "Las flechas mueven el cursor, la barra espaciadora pinta y Suprimir borra.";
    const picture = Pictures.canvas(`Lienzo para dibujar, de 28 por 28 píxeles. ${keys}`);
    picture.classList.add("live-board");
    const [box, frame] = Pointing.framed(picture);
    let last = [0, 0]; // of the stroke
    let place = [14, 14]; // of the cursor: column and row

    function go(to, erase, first) {
      if (first) begin(erase);
      stroke(first ? to : last, to, erase);
      last = to;
    }
    const touch = (erase) => go([place[0] + 0.5, place[1] + 0.5], erase, true);

    Pointing.listen(picture, {
      at: (down, across, { type }) => go([across * SIDE, down * SIDE], erasing(), type === "pointerdown"),
      step(rows, columns, { shiftKey }) {
        place = [place[0] + columns, place[1] + rows].map((at) => Math.max(0, Math.min(SIDE - 1, at)));
        if (shiftKey) touch(false);
        frame(place[1], place[0], 1);
        say(`Fila ${place[1]}, columna ${place[0]}`);
      },
    });
    picture.addEventListener("keydown", (event) => {
      const erase = event.key === "Delete" || event.key === "Backspace";
      if (event.key !== " " && !erase) return;
      event.preventDefault();
      touch(erase);
    });
    frame(place[1], place[0], 1);
    return { picture, box };
  }

  return { fitted, filled, mirrored, fromFile, stroked, board };
})();
