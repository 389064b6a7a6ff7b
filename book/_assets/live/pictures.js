// @ts-check
// needs: elements.js
// Images on canvases, and their colours.
"use strict";

const Pictures = (() => {
  const SIDE = 28;
  const SIZE = SIDE * SIDE;

  const GREY = (value) => [255 * value, 255 * value, 255 * value];
  // Less light than in the garment is blue, more is orange, the same is black.
  const SIGNED = (value) => (value < 0 ? [0, -170 * value, -255 * value] : [255 * value, 140 * value, 0]);
  const HEAT = (value) => [255 * value, 34 + 200 * value, 90 - 30 * value];
  // Of what marks a place on a picture.
  const MARK = "#ee7733";

  function canvas(label, width = SIDE, height = SIDE) {
    return Elements.el("canvas", { width, height, role: "img", "aria-label": label });
  }

  /** @param {HTMLCanvasElement} picture */
  function context(picture) {
    return /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d", { willReadFrequently: true }));
  }

  /**
   * Values from 0 to 1, or from -1, on all of a picture or on a rectangle of it.
   * @param {HTMLCanvasElement} picture
   * @param {ArrayLike<number>} values
   */
  function paint(picture, values, colour = GREY, [left, top, width, height] = [0, 0, picture.width, picture.height]) {
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const rgb = colour(Math.max(-1, Math.min(1, values[i])));
      for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = rgb[channel];
      image.data[4 * i + 3] = 255;
    }
    context(picture).putImageData(image, left, top);
  }

  return { SIDE, SIZE, GREY, SIGNED, HEAT, MARK, canvas, context, paint };
})();
