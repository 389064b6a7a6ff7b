// needs: network.js random.js
// How a network learns: the backward pass of each layer of network.js, and Adam. Of a batch one image after the
// other goes through the network, and their gradients are added up.
const makeTraining = () => {
  const { rows, dot, add, taken, spread } = Network;

  // Each finds `dx`, the gradient of its input, from that of its output, and adds those of its weights. What ReLU,
  // dropout or pooling has made 0 is left out: half of the products and more.
  /** @type {Record<string, Backward>} */
  const BACKWARD = {
    Conv2d({ weight, bias }, x, y, dy, dx) {
      const [outputs, height, width] = y.shape;
      const kernel = weight.shape[2];
      const [filters, gradients] = both(weight);
      const [window, back] = [filters[0].slice(), filters[0].slice()];
      for (let row = 0, place = 0; row < height; row++)
        for (let column = 0; column < width; column++, place++) {
          taken(x, kernel, row, column, window);
          back.fill(0);
          for (let o = 0; o < outputs; o++) {
            const slope = dy[o * height * width + place];
            if (slope === 0) continue;
            bias.gradient[o] += slope;
            passBack(slope, window, back, filters[o], gradients[o]);
          }
          spread(back, { shape: x.shape, values: dx }, kernel, row, column);
        }
    },

    // What comes before is a ReLU: where it gave 0, nothing asks for the gradient.
    ConvTranspose2d({ weight, bias, stride }, x, y, dy, dx) {
      const [inputs, height, width] = x.shape;
      const plane = y.shape[1] * y.shape[2];
      const [filters, gradients] = both(weight);
      const window = filters[0].slice();
      for (let at = 0; at < dy.length; at++) bias.gradient[Math.floor(at / plane)] += dy[at];
      for (let row = 0, place = 0; row < height; row++)
        for (let column = 0; column < width; column++, place++) {
          taken({ shape: y.shape, values: dy }, weight.shape[2], row * stride, column * stride, window);
          for (let i = 0; i < inputs; i++) {
            const at = i * height * width + place;
            if (x.values[at] === 0) continue;
            add(gradients[i], x.values[at], window);
            dx[at] = dot(filters[i], window);
          }
        }
    },

    Linear({ weight, bias }, x, y, dy, dx) {
      const [filters, gradients] = both(weight);
      for (let o = 0; o < dy.length; o++) {
        if (dy[o] === 0) continue;
        bias.gradient[o] += dy[o];
        passBack(dy[o], x.values, dx, filters[o], gradients[o]);
      }
    },

    // To the first of the greatest.
    MaxPool2d({ kernel, stride }, x, y, dy, dx) {
      const [, height, width] = x.shape;
      const [, rows, columns] = y.shape;
      for (let at = 0; at < dy.length; at++) {
        if (dy[at] === 0) continue;
        const row = Math.floor(at / columns);
        let from = (Math.floor(row / rows) * height + (row % rows) * stride) * width + (at % columns) * stride;
        for (let cell = 1; x.values[from] !== y.values[at]; cell++) from += cell % kernel ? 1 : width - kernel + 1;
        dx[from] += dy[at];
      }
    },

    ReLU: (_, x, y, dy, dx) => scale(dy, dx, (i) => (x.values[i] > 0 ? 1 : 0)),
    LeakyReLU: ({ slope }, x, y, dy, dx) => scale(dy, dx, (i) => (x.values[i] > 0 ? 1 : slope)),
    Sigmoid: (_, x, y, dy, dx) => scale(dy, dx, (i) => y.values[i] * (1 - y.values[i])),
    // What was left out is 0, and what was 0 before asks for no gradient.
    Dropout: ({ p }, x, y, dy, dx) => scale(dy, dx, (i) => (y.values[i] === 0 ? 0 : 1 / (1 - p))),
    Flatten: (_, x, y, dy, dx) => dx.set(dy),
    Unflatten: (_, x, y, dy, dx) => dx.set(dy),
  };

  const both = ({ shape, values, gradient }) => [rows({ shape, values }), rows({ shape, values: gradient })];

  // From a sum of products to what was multiplied, and to its weights.
  function passBack(slope, x, dx, weights, gradient) {
    for (let i = 0; i < x.length; i++) {
      gradient[i] += slope * x[i];
      dx[i] += slope * weights[i];
    }
  }

  function scale(dy, dx, factor) {
    for (let i = 0; i < dy.length; i++) if (dy[i] !== 0) dx[i] = dy[i] * factor(i);
  }

  // The layers with such weights as PyTorch begins with: uniform, and smaller the more inputs a number is made of.
  function fresh(layers, random) {
    function drawn(shape, bound) {
      const { values } = Network.tensor(shape);
      const [gradient, mean, square] = [values.slice(), values.slice(), values.slice()];
      return { shape, values: values.map(() => 2 * bound * random.fraction() - bound), gradient, mean, square };
    }
    return layers.map((layer) => {
      if (!layer.size) return layer;
      const [first, second, ...kernel] = layer.size;
      const bound = Math.fround(1 / Math.sqrt(kernel.reduce((product, side) => product * side, second)));
      const outputs = layer.type === "ConvTranspose2d" ? second : first;
      return { ...layer, weight: drawn(layer.size, bound), bias: drawn([outputs], bound) };
    });
  }

  const parameters = (layers) => layers.flatMap(({ weight, bias }) => (weight ? [weight, bias] : []));

  // Losses: their value and, in `dy`, their gradient.
  const squaredError = (target) => (y, dy) => {
    for (let i = 0; i < y.length; i++) dy[i] = (2 / y.length) * (y[i] - target[i]);
    return (y.length / 4) * dy.reduce((sum, slope) => sum + slope ** 2, 0);
  };

  const crossEntropy = (label) => (y, dy) => {
    dy.set(Network.softmax(y));
    const loss = -Math.log(dy[label]);
    dy[label] -= 1;
    return loss;
  };

  // The mean loss of a batch; its gradient is then that of the layers' weights. `random` is for dropout.
  function gradient(layers, batch, random) {
    for (const { gradient } of parameters(layers)) gradient.fill(0);
    let sum = 0;
    for (const [x, loss] of batch) {
      const outputs = [x, ...Network.trace(layers, x, random)];
      let dy = new Float32Array(outputs[layers.length].values.length);
      sum += loss(outputs[layers.length].values, dy);
      dy = dy.map((slope) => slope / batch.length);
      for (let i = layers.length - 1; i >= 0; i--) {
        const dx = new Float32Array(outputs[i].values.length);
        BACKWARD[layers[i].type](layers[i], outputs[i], outputs[i + 1], dy, dx);
        dy = dx;
      }
    }
    return sum / batch.length;
  }

  // Moves every weight against the mean of its gradients, divided by their usual size. Steps are counted from 1.
  function adam(layers, step, rate) {
    const [few, many] = [0.9, 0.999];
    for (const { values, gradient, mean, square } of parameters(layers))
      for (let i = 0; i < values.length; i++) {
        mean[i] = few * mean[i] + (1 - few) * gradient[i];
        square[i] = many * square[i] + (1 - many) * gradient[i] ** 2;
        const size = Math.sqrt(square[i] / (1 - many ** step)) + 1e-8;
        values[i] -= (rate * mean[i]) / (1 - few ** step) / size;
      }
  }

  // Each call trains on the next batch, as the ten lines of chapter 2 do, and returns its loss.
  function course(layers, examples, { size, rate, random }) {
    let step = 0;
    let order = [];
    return () => {
      if (!order.length) order = random.order(examples.length);
      const batch = order.splice(0, size).map((index) => examples[index]);
      const loss = gradient(layers, batch, random.fraction);
      adam(layers, ++step, rate);
      return loss;
    };
  }

  return { fresh, squaredError, crossEntropy, gradient, adam, course };
};

const Training = makeTraining();
