// needs: garments.js models.js address.js notices.js plots.js
// What the parts of the laboratory share: what the reader has chosen or drawn, and what a network makes of it.
const lab = (() => {
  const FIRST = 96; // a boot that the network knows well
  /** @type {Choices} */
  const state = {
    network: networkData[0].id,
    garment: FIRST,
    bytes: Garments.bytes(FIRST),
    drawing: null,
    code: null,
    target: 85,
    step: 0.5,
    patch: { row: 8, column: 14, size: 7 },
  };
  const shared = { now: /** @type {Answer} */ ({}) }; // what was computed last

  // What only the code changes leaves the rest as it is, down to the same array of pixels.
  function compute(model) {
    const { now } = shared;
    const known = now.bytes === state.bytes && now.model === model ? now : ofImage(model);
    if (state.code?.length !== known.own.length) state.code = null;
    const code = state.code ?? known.own;
    const output = Models.decode(model, code);
    shared.now = { ...known, code, output, error: Numbers.squaredError(output, known.pixels) };
  }

  function ofImage(model) {
    const pixels = Pictures.pixels(state.bytes);
    const [own, probabilities] = [Models.encode(model, pixels), Models.classify(model, pixels)];
    return { model, bytes: state.bytes, pixels, own, probabilities };
  }

  function update(model) {
    compute(model);
    live.redraw();
    announce();
    remember();
  }

  let asked = 0;
  function refresh() {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      if (shared.now.model) update(shared.now.model);
    });
  }

  let touched = false; // the address of a page that was only opened stays as it was
  function set(/** @type {Partial<Choices>} */ changes) {
    touched = true;
    Object.assign(state, changes);
    refresh();
  }

  // What was chosen last: what comes after it late is no longer wanted. The code of an address waits here for its
  // network, as it would not fit the one before.
  let latest = { code: null };
  async function choose(id, code = null) {
    touched = true;
    const mine = (latest = { code });
    const [arrived] = await Promise.allSettled([Models.load(id)]);
    if (mine !== latest) return;
    if (arrived.status === "rejected") throw arrived.reason;
    Object.assign(state, { network: id, code: mine.code ?? (id === state.network ? state.code : null) });
    update(arrived.value);
    performance.mark("laboratorio");
    drawAll();
  }

  function take(index) {
    latest.code = null;
    set({ garment: index, bytes: Garments.bytes(index), drawing: null, code: null });
  }

  function show(bytes, /** @type {Uint8Array | null} */ drawing = null) {
    latest.code = null;
    set({ garment: null, bytes: Uint8Array.from(bytes), drawing, code: null });
  }

  function told(probabilities) {
    const label = Plots.best(probabilities);
    return `${Garments.classes[label]}, ${Elements.percent(probabilities[label])}`;
  }

  let lastSeen = -1;
  function announce() {
    const label = Plots.best(shared.now.probabilities);
    if (lastSeen >= 0 && label !== lastSeen) say(`La red ve: ${told(shared.now.probabilities)}`);
    lastSeen = label;
  }

  let remembering = 0;
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
    const coming = choose(network, code);
    touched = false;
    return coming;
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

  addEventListener("hashchange", () => {
    if (location.hash.includes("=")) recall().catch(sayError);
  });
  // Paper waits for nothing.
  addEventListener("beforeprint", () => {
    if (shared.now.model) for (const part of parts) part.draw?.();
  });
  parts.forEach(live.bring);
  recall().catch((error) => choose(networkData[0].id).finally(() => sayError(error)));

  return Object.assign(shared, { state, refresh, set, choose, take, show, told });
})();
