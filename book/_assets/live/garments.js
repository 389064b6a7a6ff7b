// needs: network.js pictures.js data/garments.js
// The hundred test images that the book brings along, ten of each class in a row.
const Garments = (() => {
  const IMAGES = Network.bytes(garmentData.images);
  const { classes, labels, positions } = garmentData;

  const bytes = (index) => Pictures.nth(IMAGES, index);
  const pixels = (index) => Pictures.pixels(bytes(index));
  const className = (index) => classes[labels[index]];
  const name = (index) => `${className(index)} ${(index % 10) + 1}`;

  return { classes, labels, positions, bytes, pixels, className, name };
})();
