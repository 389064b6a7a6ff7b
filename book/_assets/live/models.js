// @ts-check
// needs: network.js pictures.js data/networks.js
// The trained networks, and what they compute of an image.
"use strict";

const Models = (() => {
  /** @type {Record<string, Model>} */
  const models = {};
  // By network, from its script: those of the autoencoder and, if there is one, of the classifier.
  /** @type {Record<string, string[]>} */
  const weights = {};

  /** @returns {Promise<Model>} */
  async function load(id) {
    if (!(id in weights)) await live.script(`data/${id}.js`);
    return (models[id] ??= assembled(id));
  }

  /** @returns {Model} */
  function assembled(id) {
    const described = /** @type {Described} */ (networkData.find((one) => one.id === id));
    const [autoencoder, classifier] = weights[id].map(Network.bytes);
    const both = Network.equipped(described.layers.autoencoder, autoencoder);
    return {
      ...described,
      encoder: both.filter(({ name }) => name.startsWith("encoder.")),
      decoder: both.filter(({ name }) => name.startsWith("decoder.")),
      classifier: described.layers.classifier ? Network.equipped(described.layers.classifier, classifier) : null,
      ready: null,
    };
  }

  const asImage = (pixels) => Network.tensor([1, Pictures.SIDE, Pictures.SIDE], Float32Array.from(pixels));
  /** @param {Model} model */
  const encode = (model, pixels) => Network.forward(model.encoder, asImage(pixels)).values;
  /** @param {Model} model */
  const decode = (model, code) =>
    Network.forward(model.decoder, Network.tensor([code.length], Float32Array.from(code))).values;

  /**
   * Without `relu`, from the scores as they leave the last linear layer.
   * @param {Model} model
   */
  function classify(model, pixels, { relu = true } = {}) {
    if (!model.classifier) return null;
    const layers = model.classifier.filter(({ name, type }) => relu || !(name.startsWith("head.") && type === "ReLU"));
    return Network.softmax(Network.forward(layers, asImage(pixels)).values);
  }

  /**
   * Every layer with its output.
   * @param {Layer[]} layers
   * @param {(() => number) | null} random for dropout, as in training
   */
  function trace(layers, pixels, random = null) {
    /** @type {(Tensor & { layer: Layer })[]} */
    const outputs = [];
    const visit = (layer, output) => outputs.push({ layer, ...output });
    Network.forward(layers, asImage(pixels), { random, visit });
    return outputs;
  }

  const squaredError = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;

  return { weights, load, encode, decode, classify, trace, squaredError };
})();
