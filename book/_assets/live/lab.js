// @ts-check
// needs: garments.js models.js statistics.js address.js notices.js plots.js
// What the parts of the laboratory share: what the reader has chosen or drawn, and what a network makes of it.
"use strict";

const lab = (() => {
  const state = {
    network: networkData[0].id,
    /** @type {number | null} */
    garment: 25, // a jumper of middling difficulty; null when it is drawn
    bytes: Garments.bytes(25), // what the network sees
    /** @type {Uint8Array | null} */
    drawing: null, // what it was made of, as drawn; null for an image, which the network sees as it is
    /** @type {Float32Array | null} */
    code: null, // if not the garment's own
    target: 85,
    step: 0.5,
    /** @type {Patch} */
    patch: { row: 8, column: 14, size: 7 },
  };
  /** @type {Model} */
  let model;
  /** @type {Answer} */
  let now; // what was computed last

  // What only the code changes leaves the rest as it is, down to the same array of pixels.
  function compute() {
    const known = now?.bytes === state.bytes && now.model === model ? now : ofImage();
    if (state.code?.length !== known.own.length) state.code = null;
    const code = state.code ?? known.own;
    const output = Models.decode(model, code);
    now = { ...known, code, output, error: Models.squaredError(output, known.pixels) };
  }

  function ofImage() {
    const pixels = Garments.toPixels(state.bytes);
    const [own, probabilities] = [Models.encode(model, pixels), Models.classify(model, pixels)];
    return { model, bytes: state.bytes, pixels, own, probabilities };
  }

  let asked = false;
  function refresh() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!model) return;
      compute();
      live.redraw();
      announce();
      remember();
    });
  }

  /** @param {Partial<typeof state>} changes */
  function set(changes) {
    Object.assign(state, changes);
    refresh();
  }

  // What was chosen last: what comes after it late is no longer wanted. The code of an address waits here for its
  // network, as it would not fit the one before.
  /** @type {{ code: Float32Array | null }} */
  let latest = { code: null };
  /**
   * @param {string} id
   * @param {Float32Array | null} code
   */
  async function choose(id, code = null) {
    const mine = (latest = { code });
    const [arrived] = await Promise.allSettled([Models.load(id)]);
    if (mine !== latest) return;
    if (arrived.status === "rejected") throw arrived.reason;
    model = arrived.value;
    state.network = id;
    state.code = mine.code ?? state.code;
    compute();
    if (!performance.getEntriesByName("laboratorio").length) performance.mark("laboratorio"); // the first answer
    refresh();
    Statistics.of(model).then(() => {
      refresh();
      drawAll();
    });
  }

  function take(index) {
    latest.code = null;
    set({ garment: index, bytes: Garments.bytes(index), drawing: null, code: null });
  }

  /**
   * @param {Uint8Array} bytes
   * @param {Uint8Array | null} drawing
   */
  function show(bytes, drawing = null) {
    latest.code = null;
    set({ garment: null, bytes: Uint8Array.from(bytes), drawing, code: null });
  }

  function seen() {
    if (!now.probabilities) return "Esta red solo reconstruye: el libro no guarda su clasificador.";
    const label = Plots.best(now.probabilities);
    return `${Garments.classes[label]}, ${Elements.percent(now.probabilities[label])}`;
  }

  let lastSeen = -1;
  function announce() {
    const label = now.probabilities ? Plots.best(now.probabilities) : -1;
    if (label >= 0 && lastSeen >= 0 && label !== lastSeen) say(`La red ve: ${seen()}`);
    lastSeen = label;
  }

  let remembering = 0;
  let touched = false; // the address of a page that was only opened stays as it was
  function remember() {
    clearTimeout(remembering);
    if (touched) remembering = setTimeout(() => history.replaceState(null, "", Address.write(state)), 300);
  }

  function recall() {
    const { network = state.network, garment, drawing, image, code, ...others } = Address.read(location.hash);
    if (garment !== undefined) take(garment);
    if (drawing) show(drawing, drawing);
    if (image) show(image);
    for (const [name, value] of Object.entries(others)) if (value !== undefined) state[name] = value;
    return choose(network, code);
  }

  // A part that was never seen does not stay black for ever: each is drawn when the page has nothing else to do.
  const parts = live.places.filter(({ scripts }) => scripts.some((file) => file.startsWith("lab.js")));
  const idle = globalThis.requestIdleCallback ?? setTimeout;
  async function drawAll() {
    for (const part of parts) {
      await new Promise((resolve) => idle(resolve));
      live.draw(part);
    }
  }

  function start() {
    const inside = ({ target }) => target instanceof Element && target.closest(".live");
    for (const type of ["pointerdown", "keydown", "click", "input", "change"])
      addEventListener(type, (event) => (touched ||= Boolean(inside(event))), true);
    addEventListener("hashchange", () => {
      if (location.hash.includes("=")) recall().catch((error) => say(error.message, true));
    });
    // Paper waits for nothing.
    addEventListener("beforeprint", () => {
      if (!model) return;
      Statistics.atOnce(model);
      for (const part of parts) part.draw?.();
    });
    parts.forEach(live.bring);
    recall().catch(() => choose(networkData[0].id));
  }

  return {
    state,
    get now() {
      return now;
    },
    refresh,
    set,
    choose,
    take,
    show,
    seen,
    start,
  };
})();

live.context.lab = lab;
lab.start();
