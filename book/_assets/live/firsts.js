// needs: network.js pictures.js cases.js data/firsts.js
// The first test image of each class, which the chapters show too, and what their network has to do with it.
const Firsts = (() => {
  const { classes } = firstData;
  const IMAGES = Network.bytes(firstData.images);
  const [SCORES, FILTERS] = [firstData.scores, firstData.filters].map(Network.floats);

  const bytes = (label) => Pictures.nth(IMAGES, label);
  const pixels = (label) => Pictures.pixels(bytes(label));
  // Of the classifier before the ReLU.
  const scores = (label) => Array.from(SCORES.subarray(10 * label, 10 * label + 10));
  // The sixteen of the first convolution, and then their biases.
  const filter = (k) => Array.from(FILTERS.subarray(9 * k, 9 * k + 9));
  const bias = (k) => FILTERS[9 * 16 + k];

  // The layer that is computed before the other weights have come.
  const first = () => ({
    weight: Network.tensor([16, 1, 3, 3], FILTERS.subarray(0, 144)),
    bias: Network.tensor([16], FILTERS.subarray(144)),
  });

  // One of them is chosen, and may be taken to the laboratory.
  function choice(change) {
    const [chosen, link] = [Elements.choice("Prenda", classes, change), Cases.toLaboratory()];
    const show = (label) => {
      chosen.show(label);
      Cases.lead(link, bytes(label));
    };
    return { row: Elements.el("span", {}, chosen.row, " ", link), show };
  }

  return { classes, bytes, pixels, scores, filter, bias, first, choice };
})();
