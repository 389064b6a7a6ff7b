// What the scripts share. `tsc` reads this; browsers do not.

/** An image, a code or the weights of a layer, without a dimension for the batch. */
interface Tensor {
  shape: number[];
  values: Float32Array;
}

/** A layer as moda.book.laboratory.layers describes it, with its weights: what its type needs, and no more. */
interface Layer {
  name: string;
  type: string;
  weight: Tensor;
  bias: Tensor;
  kernel: number;
  stride: number;
  padding: number;
  shape: number[];
  p: number;
}

/** What data/networks.js says of each network. */
interface Described {
  id: string;
  title: string;
  n: number;
  layers: { autoencoder: Layer[]; classifier?: Layer[] };
  python: { autoencoder: string; classifier?: string };
  kB: number;
}

interface Model extends Described {
  encoder: Layer[];
  decoder: Layer[];
  classifier: Layer[] | null;
  /** What the codes of the garments are like, once it has been computed. */
  ready: Summary | null;
}

interface Summary {
  codes: Float32Array[];
  mean: number[];
  most: number[];
  /** The neurons that are not always 0, the one that varies most first. */
  active: number[];
  readonly plane: { directions: number[][]; places: number[][] };
}

/** What the laboratory's network makes of the image. */
interface Answer {
  model: Model;
  bytes: Uint8Array;
  pixels: Float32Array;
  /** The image's code, and the one that is decoded: the same unless the reader has changed it. */
  own: Float32Array;
  code: Float32Array;
  output: Float32Array;
  /** The squared error of the output. */
  error: number;
  probabilities: Float32Array | null;
}

/** A square that covers a garment. */
interface Patch {
  row: number;
  column: number;
  size: number;
}

type Mount = (element: HTMLElement, context: Context) => (() => void) | void;

interface Context {
  say: typeof say;
  lab: typeof lab;
}

interface Place {
  box: Element;
  part: string;
  scripts: string[];
  near: boolean;
  /** The version of what is shared that was drawn last. */
  drawn: number;
  coming: Promise<void> | null;
  draw: (() => void) | null;
}

// What the extension `laboratory` writes into data/.
declare const garmentData: { classes: string[]; images: string; labels: number[]; positions: number[] };
declare const networkData: Described[];
