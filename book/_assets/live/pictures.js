// needs: elements.js
// Images on canvases, and their colours.
const Pictures = (() => {
  const SIDE = 28;
  const SIZE = SIDE * SIDE;

  const GREY = (value) => [255 * value, 255 * value, 255 * value];
  // Less light than in the garment is blue, more is orange, the same is black.
  const SIGNED = (value) => (value < 0 ? [0, -170 * value, -255 * value] : [255 * value, 140 * value, 0]);
  // As the figures of the chapters have it: more than 0 is violet, less is orange.
  const PUOR = (value) => {
    const full = value < 0 ? [179, 88, 6] : [84, 39, 136];
    return full.map((part) => 247 + (part - 247) * Math.min(1, Math.abs(value)));
  };
  const HEAT = (value) => [255 * value, 34 + 200 * value, 90 - 30 * value];

  // Of images one after the other, and their bytes as numbers up to 1.
  const nth = (images, index) => images.subarray(index * SIZE, (index + 1) * SIZE);
  const pixels = (bytes) => Float32Array.from(bytes, (byte) => byte / 255);

  function canvas(label, width = SIDE, height = SIDE) {
    return Elements.el("canvas", { width, height, role: "img", "aria-label": label });
  }

  function context(/** @type {HTMLCanvasElement} */ picture) {
    return /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d", { willReadFrequently: true }));
  }

  // Values from 0 to 1, or from -1, on all of a picture or on a rectangle of it.
  function paint(picture, values, colour = GREY, [left, top, width, height] = [0, 0, picture.width, picture.height]) {
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const [red, green, blue] = colour(Math.max(-1, Math.min(1, values[i])));
      image.data.set([red, green, blue, 255], 4 * i);
    }
    context(picture).putImageData(image, left, top);
  }

  function scaled(/** @type {Float32Array} */ values) {
    const most = Math.max(...values.map(Math.abs)) || 1;
    return values.map((value) => value / most);
  }

  // A row of numbers as one map.
  const asMaps = ([count, ...sides]) =>
    sides[0] ? [count, ...sides] : count > 300 ? [1, count / 40, 40] : [1, count / 16, 16];

  // The maps of a layer on one picture, some in a row, a pixel apart.
  function paintMaps(picture, values, /** @type {number[]} */ [channels, height, width], across = 8) {
    const columns = Math.min(channels, across);
    picture.width = columns * (width + 1) - 1;
    picture.height = Math.ceil(channels / columns) * (height + 1) - 1;
    for (let c = 0; c < channels; c++) {
      const [left, top] = [(c % columns) * (width + 1), Math.floor(c / columns) * (height + 1)];
      const map = values.subarray(c * width * height, (c + 1) * width * height);
      paint(picture, map, GREY, [left, top, width, height]);
    }
  }

  return { SIDE, SIZE, GREY, SIGNED, PUOR, HEAT, nth, pixels, canvas, context, paint, scaled, asMaps, paintMaps };
})();
