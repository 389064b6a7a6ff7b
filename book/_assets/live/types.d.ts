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
  /** That of the weights, for who draws them anew. */
  size?: number[];
  /** Of a LeakyReLU below 0. */
  slope: number;
}

/** Weights, their gradient, and what Adam keeps: the means of the gradient and of its square. */
interface Parameter extends Tensor {
  gradient: Float32Array;
  mean: Float32Array;
  square: Float32Array;
}

interface Learning extends Layer {
  weight: Parameter;
  bias: Parameter;
}

/** Random numbers as PyTorch draws them. */
interface Draws {
  fraction: () => number;
  order: (length: number) => number[];
}

type Backward = (layer: Learning, x: Tensor, y: Tensor, dy: Float32Array, dx: Float32Array) => void;

type Make = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes?: Record<string, any>,
  ...children: (Node | string)[]
) => HTMLElementTagNameMap[Tag];

type Keep = <State extends Record<string, any>>(
  part: string,
  state: State,
  fields: Record<string, any[]>,
  draw: () => string | void,
  controls?: Record<string, { show: (value: any) => void }>,
) => (changes: Partial<State>) => void;

/** How a table of numbers is shown: with how many columns, and which cells are framed. */
interface InTable {
  title?: string;
  wide?: number;
  marked?: (index: number) => boolean;
}

/** What a chart shows. */
interface Curve {
  points: number[][];
  /** Of these points, where the reader is, with what is said of it. */
  at?: number[];
  said: string;
  /** The numbers written along the axes, from end to end, and how those of the horizontal one are. */
  x: number[];
  y: number[];
  name?: (x: number) => string;
  /** Lines behind the curve, each with its class. */
  others?: any[];
}

/** What a worker does: each gives what the page is told. */
interface Job {
  step: () => any;
  look: () => any;
  change?: (change: any) => void;
}

/** What data/networks.js says of each network. */
interface Described {
  id: string;
  title: string;
  n: number;
  layers: { autoencoder: Layer[]; classifier: Layer[] };
  python: { autoencoder: string; classifier: string };
  kB: number;
}

interface Model extends Described {
  encoder: Layer[];
  decoder: Layer[];
  classifier: Layer[];
  /** Of the garments. */
  codes: Float32Array[];
  /** By neuron. */
  most: number[];
  /** The neurons that are not always 0, the one that varies most first. */
  active: number[];
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
  probabilities: Float32Array;
}

/** What the reader has chosen in the laboratory, or drawn. */
interface Choices {
  network: string;
  /** None when it is drawn. */
  garment: number | null;
  /** What the network sees. */
  bytes: Uint8Array;
  /** What it was made of, as drawn; none of an image, which the network sees as it is. */
  drawing: Uint8Array | null;
  /** If not the garment's own. */
  code: Float32Array | null;
  target: number;
  step: number;
  /** The square that covers a garment. */
  patch: { row: number; column: number; size: number };
}

type Mount = (element: HTMLElement) => (() => void) | void;

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
/** The images with which chapter 2 trains, one after the other. */
declare const trainingData: string;
/** The codes of training images in bytes, each so many units. */
declare const codeData: { codes: string; unit: number; labels: number[]; classes: string[] };
/** By class; the scores and the filters are float32. */
declare const firstData: { classes: string[]; images: string; scores: string; filters: string };
declare const networkData: Described[];
/** A cell of the confusion matrix, `true-said`, when its script has come: its garments in the order of the test set. */
interface ConfusionCell {
  positions: number[];
  images: string;
  probabilities: number[][];
}
declare const confusionData: { classes: string[]; counts: number[][]; cells: Record<string, ConfusionCell> };
/** A list for each seed. */
declare const curveData: { seeds: number[]; training: number[][]; validation: number[][]; paper: number };
/** The means of x², xy and y², of the test set and of the first image of each class, and the outputs of these. */
declare const brightnessData: { all: Means; each: Means[]; outputs: string };
type Means = [number, number, number];
/** Of how many images; of each level what its pixels get before the bias, their share and their mean; the mean x². */
declare const gradientData: { images: number; levels: [number, number, number][]; square: number };
/** By N: the test error of each of its networks; one network's outputs, and its error for each of `names`. */
declare const sizeData: {
  ns: number[];
  errors: number[][];
  images: string;
  names: string[];
  outputs: string;
  each: number[][];
};
/** `places` are uint16; when its script has come, what a code is made of, and all images in one WebP. */
declare const mapData: {
  classes: string[];
  labels: string;
  places: string;
  codes: { neurons: number[]; unit: number; codes: string; sheet: string };
};

/** Which TypeScript does not know yet. */
interface Uint8ArrayConstructor {
  fromBase64?: (base64: string) => Uint8Array<ArrayBuffer>;
}
