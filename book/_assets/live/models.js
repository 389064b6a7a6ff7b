// needs: network.js pictures.js numbers.js data/networks.js
// The trained networks, and what they compute of an image.
const Models = (() => {
  const models = {};
  // By network, from its script: the files of its weights, and the codes of the hundred garments.
  const files = {};

  async function load(id) {
    if (!(id in files)) await live.script(`data/${id}.js`);
    return (models[id] ??= assembled(id));
  }

  function assembled(id) {
    const described = /** @type {Described} */ (networkData.find((one) => one.id === id));
    const { autoencoder, classifier, codes } = files[id];
    const both = Network.equipped(described.layers.autoencoder, Network.bytes(autoencoder));
    return {
      ...described,
      encoder: both.filter(({ name }) => name.startsWith("encoder.")),
      decoder: both.filter(({ name }) => name.startsWith("decoder.")),
      classifier: Network.equipped(described.layers.classifier, Network.bytes(classifier)),
      ...summary(Network.floats(codes), described.n),
    };
  }

  // What the codes of the garments are like. The active neurons are not always 0; the one that varies most is first.
  function summary(values, n) {
    const codes = Network.rows({ shape: [values.length / n], values });
    const byNeuron = Array.from(codes[0], (_, neuron) => codes.map((code) => code[neuron]));
    const most = byNeuron.map((values) => Math.max(...values));
    const variance = byNeuron.map((values) => {
      const mean = Numbers.mean(values);
      return Numbers.mean(values.map((value) => (value - mean) ** 2));
    });
    const active = [...most.keys()].filter((neuron) => most[neuron] > 0);
    return { codes, most, active: active.sort((a, b) => variance[b] - variance[a]) };
  }

  const asImage = (pixels) => Network.tensor([1, Pictures.SIDE, Pictures.SIDE], Float32Array.from(pixels));
  const asCode = (numbers) => Network.tensor([numbers.length], Float32Array.from(numbers));
  const encode = (/** @type {Model} */ { encoder }, pixels) => Network.forward(encoder, asImage(pixels)).values;
  const decode = (/** @type {Model} */ { decoder }, code) => Network.forward(decoder, asCode(code)).values;

  // Without `relu`, from the scores as they leave the last linear layer.
  function classify(/** @type {Model} */ { classifier }, pixels, { relu = true } = {}) {
    const layers = classifier.filter(({ name, type }) => relu || !(name.startsWith("head.") && type === "ReLU"));
    return Network.softmax(Network.forward(layers, asImage(pixels)).values);
  }

  const trace = (layers, pixels) => Network.trace(layers, asImage(pixels));

  // The image, and each layer with what is applied to its output.
  function stages(layers, pixels, /** @type {(() => number) | null} */ random = null) {
    /** @type {any[]} */
    const found = [{ ...asImage(pixels), layer: {}, applied: [], raw: pixels }];
    for (const { layer, shape, values } of Network.trace(layers, asImage(pixels), random)) {
      const last = found[found.length - 1];
      const applied = ["ReLU", "Sigmoid", "Dropout"].includes(layer.type);
      if (applied) Object.assign(last, { applied: [...last.applied, layer], values });
      else found.push({ layer, applied: [], shape, raw: values, values });
    }
    return found;
  }

  return { files, load, encode, decode, classify, trace, stages };
})();
