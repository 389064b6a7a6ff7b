// The forward pass of the book's networks: each layer as PyTorch's module of that name computes it, in float32. The
// layers of a network come from moda.book.laboratory.layers, its weights from the bytes of weights.safetensors.
const makeNetwork = () => {
  const count = (shape) => shape.reduce((product, size) => product * size, 1);
  /** @returns {Tensor} */
  const tensor = (shape, values = new Float32Array(count(shape))) => ({ shape, values });
  const mapped = ({ shape, values }, change) => tensor(shape, values.map(change));

  // The weights of each output as a row; of a transposed convolution, those of each input.
  function rows({ shape, values }) {
    const length = values.length / shape[0];
    return Array.from({ length: shape[0] }, (_, i) => values.subarray(i * length, (i + 1) * length));
  }

  // Loops, which are quick.
  function dot(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  function add(to, factor, values) {
    for (let i = 0; i < to.length; i++) to[i] += factor * values[i];
  }

  // A window of all channels as such a row: taken from maps, or added to them.
  function taken({ shape, values }, kernel, row, column, window) {
    const [channels, height, width] = shape;
    for (let channel = 0, to = 0; channel < channels; channel++)
      for (let dy = 0; dy < kernel; dy++) {
        let from = (channel * height + row + dy) * width + column;
        for (let dx = 0; dx < kernel; dx++) window[to++] = values[from++];
      }
  }

  function spread(window, { shape, values }, kernel, row, column) {
    const [channels, height, width] = shape;
    for (let channel = 0, from = 0; channel < channels; channel++)
      for (let dy = 0; dy < kernel; dy++) {
        let to = (channel * height + row + dy) * width + column;
        for (let dx = 0; dx < kernel; dx++) values[to++] += window[from++];
      }
  }

  /** @type {Record<string, (x: Tensor, layer: Layer, random: (() => number) | null) => Tensor>} */
  const LAYERS = {
    // With kernels of three columns, as all in the book, whose products are added at once.
    Conv2d(x, { weight, bias }) {
      const [inputs, height, width] = x.shape;
      const [outputs, , kernel] = weight.shape;
      const y = tensor([outputs, height - kernel + 1, width - kernel + 1]);
      const [, rows, columns] = y.shape;
      for (let o = 0, w = 0; o < outputs; o++) {
        const plane = y.values.subarray(o * rows * columns, (o + 1) * rows * columns);
        plane.fill(bias.values[o]);
        for (let i = 0; i < inputs; i++)
          for (let dy = 0; dy < kernel; dy++, w += 3) {
            const [left, middle, right] = [weight.values[w], weight.values[w + 1], weight.values[w + 2]];
            for (let row = 0, to = 0; row < rows; row++) {
              let from = (i * height + row + dy) * width;
              for (let column = 0; column < columns; column++, from++)
                plane[to++] += left * x.values[from] + middle * x.values[from + 1] + right * x.values[from + 2];
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
      const y = tensor([outputs, ...[height, width].map((side) => (side - 1) * stride + kernel + padding)]);
      rows(y).forEach((plane, o) => plane.fill(bias.values[o]));
      const [filters, planes] = [rows(weight), rows(x)];
      const window = new Float32Array(outputs * kernel ** 2);
      for (let row = 0, place = 0; row < height; row++)
        for (let column = 0; column < width; column++, place++) {
          window.fill(0);
          for (let i = 0; i < inputs; i++) if (planes[i][place]) add(window, planes[i][place], filters[i]);
          spread(window, y, kernel, row * stride, column * stride);
        }
      return y;
    },

    // Rows and columns that fill no whole window are left out.
    MaxPool2d(x, { kernel, stride }) {
      const [channels, height, width] = x.shape;
      const [rows, columns] = [height, width].map((side) => Math.floor((side - kernel) / stride) + 1);
      const y = tensor([channels, rows, columns]);
      for (let channel = 0, to = 0; channel < channels; channel++)
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++, to++) {
            const from = (channel * height + row * stride) * width + column * stride;
            y.values[to] = x.values[from];
            for (let dy = 0; dy < kernel; dy++)
              for (let dx = 0; dx < kernel; dx++)
                if (x.values[from + dy * width + dx] > y.values[to]) y.values[to] = x.values[from + dy * width + dx];
          }
      return y;
    },

    Linear(x, { weight, bias }) {
      const sums = rows(weight).map((row, o) => bias.values[o] + dot(row, x.values));
      return tensor([sums.length], Float32Array.from(sums));
    },

    ReLU: (x) => mapped(x, (value) => Math.max(0, value)),
    LeakyReLU: (x, { slope }) => mapped(x, (value) => (value > 0 ? value : slope * value)),
    Sigmoid: (x) => mapped(x, (value) => 1 / (1 + Math.exp(-value))),
    // With random numbers up to 1 as in training; otherwise nothing is left out.
    Dropout: (x, { p }, random) =>
      random ? mapped(x, (value) => (value === 0 || random() < p ? 0 : value / (1 - p))) : x,
    Flatten: (x) => tensor([x.values.length], x.values),
    Unflatten: (x, { shape }) => tensor(shape, x.values),
  };

  function trace(layers, /** @type {Tensor} */ x, /** @type {(() => number) | null} */ random = null) {
    return layers.map((layer) => {
      x = LAYERS[layer.type](x, layer, random);
      return { layer, ...x };
    });
  }
  const forward = (layers, x) => trace(layers, x)[layers.length - 1];

  function softmax(/** @type {Float32Array} */ scores) {
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }

  // The quick way, or that of an older browser.
  const bytes = (/** @type {string} */ base64) =>
    Uint8Array.fromBase64?.(base64) ?? Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const floats = (base64) => new Float32Array(bytes(base64).buffer);

  // The layers with their weights from a file of safetensors: the header's length, the header in JSON, the numbers.
  function equipped(/** @type {Layer[]} */ layers, /** @type {Uint8Array} */ file) {
    const start = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
    function read(name) {
      if (!header[name]) return undefined;
      const [from, to] = header[name].data_offsets;
      return tensor(header[name].shape, new Float32Array(file.slice(start + from, start + to).buffer));
    }
    return layers.map((layer) => ({
      ...layer,
      weight: read(`${layer.name}.weight`),
      bias: read(`${layer.name}.bias`),
    }));
  }

  return { tensor, rows, dot, add, taken, spread, trace, forward, softmax, bytes, floats, equipped };
};

const Network = makeNetwork();
