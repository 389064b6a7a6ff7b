// @ts-check
// needs: network.js elements.js pictures.js data/garments.js
// The hundred test images that the book brings along, ten of each class in a row.
"use strict";

const Garments = (() => {
  const { el } = Elements;
  const { SIDE, SIZE } = Pictures;
  const IMAGES = Network.bytes(garmentData.images);
  const { classes, labels, positions } = garmentData;

  const toPixels = (bytes) => Float32Array.from(bytes, (value) => value / 255);
  const bytes = (index) => IMAGES.slice(index * SIZE, (index + 1) * SIZE);
  const pixels = (index) => toPixels(bytes(index));
  const className = (index) => classes[labels[index]];
  const name = (index) => `${className(index)} ${(index % 10) + 1}`;

  const classOptions = () => classes.map((name, label) => el("option", { value: label }, name));

  /**
   * A drop-down of the garments by class.
   * @param {(index: number) => void} choose
   */
  function select(label, choose) {
    const groups = classes.map((name) => el("optgroup", { label: name }));
    labels.forEach((of, index) => groups[of].append(el("option", { value: index }, name(index))));
    const drop = el("select", { "aria-label": label, onchange: () => choose(Number(drop.value)) }, ...groups);
    return drop;
  }

  // All of them in one picture, which is in a rule, read once, and not in a property, which each would read again.
  let drawn = false;
  function drawAll() {
    if (drawn) return;
    drawn = true;
    const sheet = Pictures.canvas("", 10 * SIDE, 10 * SIDE);
    labels.forEach((_, index) => {
      const [left, top] = [(index % 10) * SIDE, Math.floor(index / 10) * SIDE];
      Pictures.paint(sheet, pixels(index), Pictures.GREY, [left, top, SIDE, SIDE]);
    });
    const rule = `.live-garment, .live-point { background-image: url(${sheet.toDataURL()}) !important; }`;
    document.head.append(el("style", {}, rule));
  }

  /** @param {HTMLElement} element */
  function thumbnail(element, index) {
    drawAll();
    element.style.backgroundPosition = `${((index % 10) * 100) / 9}% ${(Math.floor(index / 10) * 100) / 9}%`;
  }

  return { classes, labels, positions, toPixels, bytes, pixels, className, name, classOptions, select, thumbnail };
})();
