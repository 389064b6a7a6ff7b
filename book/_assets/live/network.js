// @ts-check
// The forward pass of the book's networks: each layer as PyTorch's module of that name computes it, in float32. The
// layers of a network come from moda.book.laboratory.layers, its weights from the bytes of weights.safetensors.
"use strict";

const Network = (() => {
  const count = (shape) => shape.reduce((product, size) => product * size, 1);
  /** @returns {Tensor} */
  const tensor = (shape, values = new Float32Array(count(shape))) => ({ shape, values });

  /** @type {Record<string, (x: Tensor, layer: Layer) => Tensor>} */
  const LAYERS = {
    Conv2d(x, { weight, bias }) {
      const [inputs, height, width] = x.shape;
      const [outputs, , kernel] = weight.shape;
      const y = tensor([outputs, height - kernel + 1, width - kernel + 1]);
      const [, rows, columns] = y.shape;
      for (let o = 0, w = 0; o < outputs; o++) {
        const plane = y.values.subarray(o * rows * columns, (o + 1) * rows * columns);
        plane.fill(bias.values[o]);
        for (let i = 0; i < inputs; i++)
          for (let dy = 0; dy < kernel; dy++)
            for (let dx = 0; dx < kernel; dx++, w++) {
              const factor = weight.values[w];
              for (let row = 0, to = 0; row < rows; row++) {
                let from = (i * height + row + dy) * width + dx;
                for (let column = 0; column < columns; column++) plane[to++] += factor * x.values[from++];
              }
            }
      }
      return y;
    },

    // Each value of the input is spread over a window of the output. `padding` adds rows and columns at the end
    // that no window reaches: only the bias is in them.
    ConvTranspose2d(x, { weight, bias, stride, padding }) {
      const [inputs, height, width] = x.shape;
      const [, outputs, kernel] = weight.shape;
      const rows = (height - 1) * stride + kernel + padding;
      const columns = (width - 1) * stride + kernel + padding;
      const y = tensor([outputs, rows, columns]);
      for (let o = 0; o < outputs; o++) y.values.fill(bias.values[o], o * rows * columns, (o + 1) * rows * columns);
      for (let i = 0, w = 0; i < inputs; i++)
        for (let o = 0; o < outputs; o++)
          for (let dy = 0; dy < kernel; dy++)
            for (let dx = 0; dx < kernel; dx++, w++) {
              const factor = weight.values[w];
              for (let row = 0, from = i * height * width; row < height; row++) {
                let to = (o * rows + row * stride + dy) * columns + dx;
                for (let column = 0; column < width; column++, to += stride) y.values[to] += factor * x.values[from++];
              }
            }
      return y;
    },

    // Rows and columns that fill no whole window are left out.
    MaxPool2d(x, { kernel, stride }) {
      const [channels, height, width] = x.shape;
      const rows = Math.floor((height - kernel) / stride) + 1;
      const columns = Math.floor((width - kernel) / stride) + 1;
      const y = tensor([channels, rows, columns]);
      for (let channel = 0, to = 0; channel < channels; channel++)
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++) {
            let most = -Infinity;
            for (let dy = 0; dy < kernel; dy++)
              for (let dx = 0; dx < kernel; dx++) {
                const from = (channel * height + row * stride + dy) * width + column * stride + dx;
                if (x.values[from] > most) most = x.values[from];
              }
            y.values[to++] = most;
          }
      return y;
    },

    Linear(x, { weight, bias }) {
      const [outputs, inputs] = weight.shape;
      const y = tensor([outputs]);
      for (let o = 0, w = 0; o < outputs; o++) {
        let sum = bias.values[o];
        for (let i = 0; i < inputs; i++) sum += weight.values[w++] * x.values[i];
        y.values[o] = sum;
      }
      return y;
    },

    ReLU: (x) =>
      tensor(
        x.shape,
        x.values.map((value) => Math.max(0, value)),
      ),
    Sigmoid: (x) =>
      tensor(
        x.shape,
        x.values.map((value) => 1 / (1 + Math.exp(-value))),
      ),
    Flatten: (x) => tensor([x.values.length], x.values),
    Unflatten: (x, { shape }) => tensor(shape, x.values),
  };

  // As in training if `random` is given, which returns numbers from 0 to 1; otherwise nothing is left out.
  function dropout(x, { p }, random) {
    if (!random) return x;
    const kept = x.values.map((value) => (random() < p ? 0 : value / (1 - p)));
    return tensor(x.shape, kept);
  }

  /**
   * `visit`, if given, is called with each layer and its output.
   * @param {Layer[]} layers
   * @param {Tensor} x
   * @param {{ random?: (() => number) | null, visit?: (layer: Layer, output: Tensor) => void }} options
   */
  function forward(layers, x, { random, visit } = {}) {
    for (const layer of layers) {
      x = layer.type === "Dropout" ? dropout(x, layer, random) : LAYERS[layer.type](x, layer);
      visit?.(layer, x);
    }
    return x;
  }

  /** @param {Float32Array} scores */
  function softmax(scores) {
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }

  /**
   * @param {string} base64
   * @returns {Uint8Array}
   */
  function bytes(base64) {
    // Which TypeScript does not know yet.
    const quick = /** @type {any} */ (Uint8Array).fromBase64;
    if (quick) return quick.call(Uint8Array, base64);
    const text = atob(base64);
    const array = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
    return array;
  }

  // A file of safetensors: the length of the header, the header in JSON, and the numbers.
  /** @param {Uint8Array} file */
  function tensors(file) {
    const start = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
    delete header.__metadata__;
    const read = ({ dtype, shape, data_offsets: [from, to] }) => {
      if (dtype !== "F32") throw new Error(`weights of type ${dtype}`);
      return tensor(shape, new Float32Array(file.slice(start + from, start + to).buffer));
    };
    return Object.fromEntries(Object.entries(header).map(([name, entry]) => [name, read(entry)]));
  }

  /**
   * The layers with their weights.
   * @param {Layer[]} layers
   * @param {Uint8Array} file
   * @returns {Layer[]}
   */
  function equipped(layers, file) {
    const weights = tensors(file);
    return layers.map((layer) => ({
      ...layer,
      weight: weights[`${layer.name}.weight`],
      bias: weights[`${layer.name}.bias`],
    }));
  }

  return { tensor, forward, softmax, bytes, equipped };
})();
