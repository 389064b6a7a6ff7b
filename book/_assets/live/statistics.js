// @ts-check
// needs: garments.js models.js
// What the codes that a network gives to the garments are like.
"use strict";

const Statistics = (() => {
  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  // What takes long is done in parts, so that the page answers meanwhile.
  const pause = () => new Promise((resolve) => setTimeout(resolve));

  /** @type {WeakMap<Model, Promise<Summary>>} */
  const coming = new WeakMap();

  /**
   * From the first time on in `model.ready` too.
   * @param {Model} model
   * @returns {Promise<Summary>}
   */
  function of(model) {
    const known = coming.get(model) ?? compute(model);
    coming.set(model, known);
    return known;
  }

  /** @param {Model} model */
  async function compute(model) {
    const codes = [];
    let began = performance.now();
    for (const index of Garments.labels.keys()) {
      codes.push(Models.encode(model, Garments.pixels(index)));
      if (performance.now() - began < 8) continue;
      await pause();
      began = performance.now();
    }
    await pause();
    return (model.ready = summary(codes));
  }

  /**
   * The same for who cannot wait.
   * @param {Model} model
   */
  function atOnce(model) {
    model.ready ??= summary(Garments.labels.map((_, index) => Models.encode(model, Garments.pixels(index))));
  }

  /**
   * @param {Float32Array[]} codes
   * @returns {Summary}
   */
  function summary(codes) {
    const neurons = Array.from(codes[0].keys());
    const mean = neurons.map((neuron) => average(codes.map((code) => code[neuron])));
    const variance = neurons.map((neuron) => average(codes.map((code) => (code[neuron] - mean[neuron]) ** 2)));
    const most = neurons.map((neuron) => Math.max(...codes.map((code) => code[neuron])));
    const active = neurons.filter((neuron) => most[neuron] > 0).sort((a, b) => variance[b] - variance[a]);
    let found = null; // when the map asks for it
    return {
      codes,
      mean,
      most,
      active,
      get plane() {
        return (found ??= plane(codes, mean));
      },
    };
  }

  // Loops, which are quick from the first time on.
  function dot(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  function add(to, factor, values) {
    for (let i = 0; i < to.length; i++) to[i] += factor * values[i];
  }

  // The two directions in which the codes vary most (principal components, by iteration), and every code in them.
  function plane(codes, mean) {
    const centred = codes.map((code) => Float64Array.from(code, (value, i) => value - mean[i]));
    const directions = [];
    for (const start of [0, 1]) {
      let direction = mean.map((_, i) => Math.cos(i + start));
      for (let step = 0; step < 200; step++) {
        const next = new Float64Array(mean.length);
        for (const code of centred) add(next, dot(code, direction), code);
        for (const found of directions) add(next, -dot(next, found), found);
        const length = Math.sqrt(dot(next, next)) || 1;
        direction = Array.from(next, (value) => value / length);
      }
      const largest = direction.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
      directions.push(direction.map((value) => value * Math.sign(largest)));
    }
    return { directions, places: centred.map((code) => directions.map((direction) => dot(code, direction))) };
  }

  return { of, atOnce, average };
})();
