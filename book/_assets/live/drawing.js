// @ts-check
// needs: elements.js pictures.js garments.js
// Images of 28 by 28 bytes, as a reader makes them.
"use strict";

const Drawing = (() => {
  const { SIDE, SIZE } = Pictures;

  // The garment cut out and enlarged until its longer side fills the image, as in Fashion-MNIST.
  function fitted(source, width = SIDE, height = SIDE, threshold = 40) {
    let [left, right, top, bottom] = [width, -1, height, -1];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (source[y * width + x] > threshold) {
          [left, right] = [Math.min(left, x), Math.max(right, x)];
          [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
        }
    if (right < 0) return new Uint8Array(SIZE);
    const from = Pictures.canvas("", width, height);
    Pictures.paint(from, Garments.toPixels(source));
    const context = Pictures.context(Pictures.canvas(""));
    const [wide, high] = [right - left + 1, bottom - top + 1];
    const scale = SIDE / Math.max(wide, high);
    context.fillRect(0, 0, SIDE, SIDE);
    context.imageSmoothingQuality = "high";
    const [x, y] = [(SIDE - wide * scale) / 2, (SIDE - high * scale) / 2];
    context.drawImage(from, left, top, wide, high, x, y, wide * scale, high * scale);
    return grey(context, SIDE, SIDE);
  }

  /** @param {CanvasRenderingContext2D} context */
  function grey(context, width, height) {
    const { data } = context.getImageData(0, 0, width, height);
    const light = (_, i) => 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2] + 0.5;
    return Uint8Array.from({ length: width * height }, light);
  }

  /**
   * A picture of the reader's: grey, inverted if its border is light, cut out.
   * @param {File} file
   */
  async function fromFile(file) {
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
      if (outside[at] || bytes[at] > 90) continue;
      outside[at] = 1;
      const [row, column] = [Math.floor(at / SIDE), at % SIDE];
      if (row > 0) queue.push(at - SIDE);
      if (row < SIDE - 1) queue.push(at + SIDE);
      if (column > 0) queue.push(at - 1);
      if (column < SIDE - 1) queue.push(at + 1);
    }
    return bytes.map((value, at) => (outside[at] ? value : Math.max(value, 190)));
  }

  const mirrored = (image) => image.map((_, at) => image[at - (at % SIDE) + SIDE - 1 - (at % SIDE)]);

  // A dab at a point, in pixels.
  function dab(bytes, x, y, erase) {
    for (let row = Math.max(0, Math.floor(y - 3)); row < Math.min(SIDE, y + 3); row++)
      for (let column = Math.max(0, Math.floor(x - 3)); column < Math.min(SIDE, x + 3); column++) {
        const near = Math.max(0, Math.min(1, 1.6 - Math.hypot(column + 0.5 - x, row + 0.5 - y)));
        const at = row * SIDE + column;
        bytes[at] = erase ? Math.min(bytes[at], 255 * (1 - near)) : Math.max(bytes[at], 230 * near);
      }
  }

  /** The image with a stretch of a stroke on it. */
  function stroked(image, [x, y], to, erase) {
    const changed = image.slice();
    const [dx, dy] = [to[0] - x, to[1] - y];
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(dx, dy)));
    for (let i = 0; i <= steps; i++) dab(changed, x + (dx * i) / steps, y + (dy * i) / steps, erase);
    return changed;
  }

  return { fitted, filled, mirrored, fromFile, stroked };
})();
