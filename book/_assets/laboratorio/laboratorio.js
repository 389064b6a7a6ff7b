// The page "Laboratorio": what a reader draws or chooses goes through the networks at once, and everything that is
// shown follows. datos.js brings the images and says which networks there are; a network's weights come in a
// script of its own, which calls `laboratorio.recibir`.
"use strict";

(() => {
  const DATA = globalThis.laboratorioDatos;
  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  const SIDE = 28;
  const SIZE = SIDE * SIDE;
  const IMAGES = Red.bytes(DATA.imagenes);
  const CLASSES = DATA.clases;

  // ---- Networks ----

  const models = {};
  const arrivals = {};

  function arrival(id) {
    arrivals[id] ??= Promise.withResolvers?.() ?? withResolvers();
    return arrivals[id];
  }

  function withResolvers() {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  }

  function receive([id, autoencoder, classifier]) {
    const network = DATA.redes.find((one) => one.id === id);
    const { capas } = network;
    const both = Red.equipped(capas.autoencoder, Red.bytes(autoencoder));
    models[id] = {
      ...network,
      encoder: both.filter(({ name }) => name.startsWith("encoder.")),
      decoder: both.filter(({ name }) => name.startsWith("decoder.")),
      classifier: classifier && Red.equipped(capas.clasificador, Red.bytes(classifier)),
    };
    arrival(id).resolve(models[id]);
  }

  // A script rather than fetch, which a page opened as a file may not use.
  function load(id) {
    if (!(id in arrivals)) {
      const script = el("script", { src: `${FOLDER}${id}.js` });
      script.onerror = () => {
        arrival(id).reject(new Error(`No se pudo cargar ${script.src}`));
        delete arrivals[id];
      };
      arrival(id);
      document.head.append(script);
    }
    return arrivals[id].promise;
  }

  const asImage = (pixels) => Red.tensor([1, SIDE, SIDE], Float32Array.from(pixels));
  const encode = (model, pixels) => Red.forward(model.encoder, asImage(pixels)).values;
  const decode = (model, code) =>
    Red.forward(model.decoder, Red.tensor([code.length], Float32Array.from(code))).values;

  // Without `relu`, the scores as they leave the last linear layer.
  function classify(model, pixels, { relu = true } = {}) {
    if (!model.classifier) return null;
    const layers = model.classifier.filter(({ name, type }) => relu || !(name.startsWith("head.") && type === "ReLU"));
    return Red.softmax(Red.forward(layers, asImage(pixels)).values);
  }

  function trace(layers, pixels, random) {
    const maps = [];
    Red.forward(layers, asImage(pixels), {
      random,
      visit: (layer, { shape, values }) => maps.push({ nombre: layer.name, tipo: layer.type, forma: shape, valores: values, capa: layer }),
    });
    return maps;
  }

  // What takes long is done in parts, so that the page answers meanwhile.
  const pause = () => new Promise((resolve) => setTimeout(resolve));

  // What the codes of the images on the page are like.
  function statistics(model) {
    model.statistics ??= (async () => {
      const codes = [];
      let began = performance.now();
      for (let index = 0; index < DATA.etiquetas.length; index++) {
        codes.push(encode(model, garment(index)));
        if (performance.now() - began < 8) continue;
        await pause();
        began = performance.now();
      }
      await pause();
      return summary(codes);
    })();
    return model.statistics;
  }

  function summary(codes) {
    const neurons = Array.from(codes[0].keys());
    const mean = neurons.map((neuron) => average(codes.map((code) => code[neuron])));
    const variance = neurons.map((neuron) => average(codes.map((code) => (code[neuron] - mean[neuron]) ** 2)));
    const most = neurons.map((neuron) => Math.max(...codes.map((code) => code[neuron])));
    const active = neurons.filter((neuron) => most[neuron] > 0).sort((a, b) => variance[b] - variance[a]);
    let found = null; // when the map asks for it
    return { codes, mean, most, active, get plane() { return (found ??= plane(codes, mean)); } };
  }

  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  // Loops, which are quick from the first time on.
  function dot(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  function add(to, factor, values) {
    for (let i = 0; i < to.length; i++) to[i] += factor * values[i];
  }

  // The two directions in which the codes vary most (principal components, by iteration), and every code in them.
  function plane(codes, mean) {
    const centred = codes.map((code) => Float64Array.from(code, (value, i) => value - mean[i]));
    const directions = [];
    for (const start of [0, 1]) {
      let direction = mean.map((_, i) => Math.cos(i + start));
      for (let step = 0; step < 200; step++) {
        const next = new Float64Array(mean.length);
        for (const code of centred) add(next, dot(code, direction), code);
        for (const found of directions) add(next, -dot(next, found), found);
        const length = Math.sqrt(dot(next, next)) || 1;
        direction = next.map((value) => value / length);
      }
      const largest = direction.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
      directions.push(direction.map((value) => value * Math.sign(largest)));
    }
    return { directions, places: centred.map((code) => directions.map((direction) => dot(code, direction))) };
  }

  // ---- State ----

  const START = 25; // a jumper of middling difficulty
  const toPixels = (bytes) => Float32Array.from(bytes, (value) => value / 255);
  const bytesOf = (index) => IMAGES.slice(index * SIZE, (index + 1) * SIZE);
  const garment = (index) => toPixels(bytesOf(index));
  const state = {
    network: DATA.redes[0].id,
    garment: START, // null when it is drawn
    bytes: bytesOf(START), // what the network sees
    drawing: null, // what it was made of, as drawn; null for an image, which the network sees as it is
    code: null, // if not the garment's own
    target: 85,
    step: 0.5,
    patch: { row: 8, column: 14, size: 7 },
  };
  let model = null;
  let now = null; // what was computed last

  // What only the code changes leaves the rest as it is, down to the same array of pixels.
  function compute() {
    if (now?.bytes !== state.bytes || now.model !== model) {
      const pixels = toPixels(state.bytes);
      now = { model, bytes: state.bytes, pixels, own: encode(model, pixels), probabilities: classify(model, pixels) };
    }
    if (state.code?.length !== now.own.length) state.code = null;
    const code = state.code ?? now.own;
    const output = decode(model, code);
    now = { ...now, code, output, error: squaredError(output, now.pixels) };
  }

  const squaredError = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;

  const updates = []; // {mount, update, visible, stale}
  let asked = false;
  function refresh() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!model) return;
      compute();
      for (const part of updates) {
        part.stale = true;
        if (part.visible) bring(part);
      }
      announce();
      remember();
    });
  }

  // A part that is out of sight waits until it is seen.
  function bring(part) {
    if (!part.stale || !now) return;
    part.stale = false;
    part.update();
  }

  // Nor does it stay empty for ever: a network's first pictures are drawn in every part, one at a time, when the page
  // has nothing else to do.
  const idle = globalThis.requestIdleCallback ?? setTimeout;
  async function bringAll() {
    for (const part of updates) {
      await new Promise((resolve) => idle(resolve));
      bring(part);
    }
  }

  // What was chosen last, {id, code}: what comes after it late is no longer wanted. The code of an address waits here
  // for its network, as it would not fit the one before.
  let latest = {};
  async function choose(id, code = null) {
    const mine = (latest = { id, code });
    const [{ value: chosen, reason }] = await Promise.allSettled([load(id)]);
    if (mine !== latest) return;
    if (reason) throw reason;
    state.network = id;
    state.code = mine.code ?? state.code;
    model = chosen;
    compute();
    if (!performance.getEntriesByName("laboratorio").length) performance.mark("laboratorio"); // the first answer
    refresh();
    statistics(chosen).then((found) => {
      chosen.ready = found;
      refresh();
      bringAll();
    });
  }

  function take(index) {
    state.garment = index;
    state.bytes = bytesOf(index);
    state.drawing = state.code = latest.code = null;
    refresh();
  }

  function show(bytes, drawing = null) {
    state.garment = state.code = latest.code = null;
    state.bytes = Uint8Array.from(bytes);
    state.drawing = drawing;
    refresh();
  }

  // ---- The address ----

  const encoded = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const decoded = (text) => Red.bytes(text.replace(/-/g, "+").replace(/_/g, "/"));

  function address() {
    const parts = { red: state.network };
    if (state.garment === null) parts[state.drawing ? "dibujo" : "imagen"] = encoded(state.bytes);
    else parts.prenda = DATA.posiciones[state.garment];
    if (state.code) parts.codigo = encoded(new Uint8Array(Float32Array.from(state.code).buffer));
    parts.hacia = DATA.posiciones[state.target];
    parts.paso = state.step;
    parts.tapa = Object.values(state.patch).join(",");
    return `#${new URLSearchParams(parts)}`;
  }

  let remembering = null;
  let touched = false; // the address of a page that was only opened stays as it was
  function remember() {
    clearTimeout(remembering);
    if (touched) remembering = setTimeout(() => history.replaceState(null, "", address()), 300);
  }

  // Whatever is missing or makes no sense is left as it is. Returns the network and its code.
  function recall() {
    let code = null;
    const parts = new URLSearchParams(location.hash.slice(1));
    const position = (name) => DATA.posiciones.indexOf(Number(parts.get(name) ?? NaN));
    if (position("prenda") >= 0) take(position("prenda"));
    try {
      const drawn = decoded(parts.get("dibujo") ?? "");
      if (drawn.length === SIZE) show(drawn, drawn);
      const image = decoded(parts.get("imagen") ?? "");
      if (image.length === SIZE) show(image);
      const numbers = decoded(parts.get("codigo") ?? "");
      if (numbers.length && numbers.length % 4 === 0) {
        const values = new Float32Array(numbers.buffer);
        if (values.every(Number.isFinite)) code = values;
      }
    } catch {
      // not base64
    }
    if (position("hacia") >= 0) state.target = position("hacia");
    const step = Number(parts.get("paso") ?? NaN);
    if (step >= 0 && step <= 1) state.step = step;
    const [row, column, size] = (parts.get("tapa") ?? "").split(",").map(Number);
    if ([row, column].every((place) => Number.isInteger(place) && place >= 0 && place < SIDE) && [5, 7, 9, 11].includes(size))
      state.patch = { row, column, size };
    return [DATA.redes.some(({ id }) => id === parts.get("red")) ? parts.get("red") : state.network, code];
  }

  // ---- Elements ----

  function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const button = (text, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, text);
  const percent = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
  const touch = (action) => (event) => {
    touched = true;
    action(event);
  };

  function canvas(label, width = SIDE, height = SIDE) {
    return el("canvas", { width, height, role: "img", "aria-label": label });
  }

  function figure(title, picture, ...rest) {
    return el("figure", { class: "lab-imagen" }, picture, el("figcaption", {}, title, ...rest));
  }

  const GREY = (value) => [255 * value, 255 * value, 255 * value];
  // Less light than in the garment is blue, more is orange, the same is black.
  const SIGNED = (value) => (value < 0 ? [0, -170 * value, -255 * value] : [255 * value, 140 * value, 0]);
  const HEAT = (value) => [255 * value, 34 + 200 * value, 90 - 30 * value];

  function paint(picture, values, colour = GREY, from = 0, left = 0, top = 0, width = picture.width, height = picture.height) {
    const context = picture.getContext("2d");
    const data = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const rgb = colour(Math.max(-1, Math.min(1, values[from + i])));
      for (let channel = 0; channel < 3; channel++) data.data[4 * i + channel] = rgb[channel];
      data.data[4 * i + 3] = 255;
    }
    context.putImageData(data, left, top);
  }

  // Probabilities as bars that are a table: one column of bars for each of `columns`.
  function bars(caption, columns) {
    const cells = CLASSES.map(() => columns.map(() => [el("span", { class: "lab-barra" }), el("span", { class: "lab-cifra" })]));
    const rows = CLASSES.map((name, label) =>
      el("tr", {}, el("th", { scope: "row" }, name), ...cells[label].map(([bar, number]) => el("td", {}, bar, number))),
    );
    const head = el("thead", {}, el("tr", {}, ...["Clase", ...columns].map((name) => el("th", { scope: "col" }, name))));
    const table = el("table", { class: "lab-barras" }, el("caption", {}, caption), head, el("tbody", {}, ...rows));
    const show = (probabilities) => {
      rows.forEach((row, label) => {
        row.classList.toggle("lab-mayor", probabilities[0] !== null && best(probabilities[0]) === label);
        cells[label].forEach(([bar, number], column) => {
          const value = probabilities[column]?.[label];
          bar.style.width = `${100 * (value ?? 0)}%`;
          number.textContent = value === undefined ? "—" : percent(value);
        });
      });
    };
    return [table, show];
  }

  const best = (values) => values.indexOf(Math.max(...values));

  function codeBars(label) {
    const box = el("div", { class: "lab-codigo", role: "img", "aria-label": label });
    const show = (code, most, silent) => {
      while (box.childElementCount > code.length) box.lastChild.remove();
      while (box.childElementCount < code.length) box.append(el("span"));
      box.classList.toggle("lab-apretado", code.length > 100);
      code.forEach((value, neuron) => {
        const bar = box.children[neuron];
        bar.style.height = `${Math.min(100, (100 * value) / most)}%`;
        bar.classList.toggle("lab-muda", silent(neuron));
        bar.title = `Neurona ${neuron}: ${value.toFixed(2)}`;
      });
    };
    return [box, show];
  }

  // A drop-down of garments: the class, and which of its ten.
  function garmentSelect(label, onchange) {
    const select = el("select", { "aria-label": label, onchange: touch(() => onchange(Number(select.value))) });
    CLASSES.forEach((name, c) => {
      const group = el("optgroup", { label: name });
      for (let i = 0; i < 10; i++) group.append(el("option", { value: 10 * c + i }, `${name} ${i + 1}`));
      select.append(group);
    });
    return select;
  }

  function slider(label, attributes, oninput) {
    const value = el("output");
    const input = el("input", { ...attributes, type: "range", oninput: touch(() => oninput(Number(input.value))) });
    return { row: el("label", { class: "lab-control" }, el("span", {}, label), input, value), input, value };
  }

  const name = (index) => `${CLASSES[DATA.etiquetas[index]]} ${(index % 10) + 1}`;

  // ---- Drawing ----

  // The garment cut out and enlarged until its longer side fills the image, as in Fashion-MNIST.
  function fitted(source, width, height, threshold = 40) {
    let [left, right, top, bottom] = [width, -1, height, -1];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (source[y * width + x] > threshold) {
          [left, right] = [Math.min(left, x), Math.max(right, x)];
          [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
        }
    if (right < 0) return new Uint8Array(SIZE);
    const from = el("canvas", { width, height });
    paint(from, toPixels(source));
    const to = el("canvas", { width: SIDE, height: SIDE });
    const context = to.getContext("2d", { willReadFrequently: true });
    const [wide, high] = [right - left + 1, bottom - top + 1];
    const scale = SIDE / Math.max(wide, high);
    context.fillRect(0, 0, SIDE, SIDE);
    context.imageSmoothingQuality = "high";
    const place = [(SIDE - wide * scale) / 2, (SIDE - high * scale) / 2];
    context.drawImage(from, left, top, wide, high, ...place, wide * scale, high * scale);
    return grey(context, SIDE, SIDE);
  }

  function grey(context, width, height) {
    const { data } = context.getImageData(0, 0, width, height);
    return Uint8Array.from({ length: width * height }, (_, i) => 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2] + 0.5);
  }

  // A picture of the reader's: grey, inverted if its border is light, cut out.
  async function fromFile(file) {
    const bitmap = await createImageBitmap(file);
    const scale = 224 / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = el("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    const values = grey(context, width, height);
    const border = values.filter((_, i) => i < width || i >= width * (height - 1) || i % width === 0 || i % width === width - 1);
    const light = average(Array.from(border)) > 127;
    return fitted(light ? values.map((value) => 255 - value) : values, width, height);
  }

  // Everything that the background cannot reach, so that an outline becomes a garment.
  function filled(bytes) {
    const outside = new Uint8Array(SIZE);
    const queue = [];
    for (let i = 0; i < SIDE; i++) queue.push(i, SIZE - 1 - i, i * SIDE, i * SIDE + SIDE - 1);
    while (queue.length) {
      const at = queue.pop();
      if (outside[at] || bytes[at] > 90) continue;
      outside[at] = 1;
      const [row, column] = [Math.floor(at / SIDE), at % SIDE];
      if (row > 0) queue.push(at - SIDE);
      if (row < SIDE - 1) queue.push(at + SIDE);
      if (column > 0) queue.push(at - 1);
      if (column < SIDE - 1) queue.push(at + 1);
    }
    return bytes.map((value, at) => (outside[at] ? value : Math.max(value, 190)));
  }

  const mirrored = (image) => image.map((_, at) => image[at - (at % SIDE) + SIDE - 1 - (at % SIDE)]);

  function brush(bytes, x, y, erase) {
    for (let row = Math.max(0, Math.floor(y - 3)); row < Math.min(SIDE, y + 3); row++)
      for (let column = Math.max(0, Math.floor(x - 3)); column < Math.min(SIDE, x + 3); column++) {
        const near = Math.max(0, Math.min(1, 1.6 - Math.hypot(column + 0.5 - x, row + 0.5 - y)));
        const at = row * SIDE + column;
        bytes[at] = erase ? Math.min(bytes[at], 255 * (1 - near)) : Math.max(bytes[at], 230 * near);
      }
  }

  // ---- The parts of the page ----

  const parts = {};

  parts.taller = (mount) => {
    const board = el("canvas", {
      width: SIDE,
      height: SIDE,
      class: "lab-lienzo",
      tabindex: 0,
      role: "application",
      "aria-label": "Lienzo para dibujar, de 28 por 28 píxeles. Las flechas mueven el cursor, la barra espaciadora pinta y Suprimir borra.",
    });
    const cursor = el("span", { class: "lab-cursor", hidden: true });
    const again = { type: "checkbox", checked: true, onchange: () => state.drawing && prepare(state.drawing) };
    const [fill, fit] = [el("input", again), el("input", again)];
    const over = el("input", { type: "checkbox" });
    const eraser = button("Goma", touch(() => eraser.setAttribute("aria-pressed", eraser.getAttribute("aria-pressed") !== "true")), { "aria-pressed": "false" });
    const erasing = () => eraser.getAttribute("aria-pressed") === "true";

    let stroke = null; // where the pointer was
    let place = [14, 14]; // of the cursor: column and row
    const placeOf = (event) => {
      const box = board.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
    };
    // The first stroke on a garment begins a drawing, unless the garment is to be changed.
    const begin = (erase) => {
      touched = true;
      if (state.garment !== null && !over.checked && !erase) state.drawing = new Uint8Array(SIZE);
    };
    const line = (to, erase) => {
      const [x, y] = stroke ?? to;
      const steps = Math.max(1, Math.ceil(2 * Math.hypot(to[0] - x, to[1] - y)));
      const image = (state.drawing ?? state.bytes).slice();
      for (let i = 0; i <= steps; i++) brush(image, x + ((to[0] - x) * i) / steps, y + ((to[1] - y) * i) / steps, erase);
      stroke = to;
      if (state.drawing) prepare(image);
      else show(image);
    };
    const prepare = (drawing) => {
      let seen = drawing;
      if (fill.checked) seen = filled(seen);
      if (fit.checked) seen = fitted(seen, SIDE, SIDE);
      show(seen, drawing);
    };
    const end = () => (stroke = null);
    board.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      board.focus({ preventScroll: true });
      cursor.hidden = true;
      board.setPointerCapture(event.pointerId);
      begin(erasing());
      line(placeOf(event), erasing());
    });
    board.addEventListener("pointermove", (event) => {
      if (stroke) line(placeOf(event), erasing());
    });
    board.addEventListener("pointerup", end);
    board.addEventListener("pointercancel", end);
    const showCursor = () => {
      cursor.hidden = false;
      cursor.style.left = `${(100 * place[0]) / SIDE}%`;
      cursor.style.top = `${(100 * place[1]) / SIDE}%`;
    };
    board.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const erase = event.key === "Delete" || event.key === "Backspace";
      if (!(event.key in steps) && event.key !== " " && !erase) return;
      event.preventDefault();
      const step = steps[event.key];
      if (step) place = place.map((at, axis) => Math.max(0, Math.min(SIDE - 1, at + step[axis])));
      if (!step || event.shiftKey) {
        begin(erase);
        line([place[0] + 0.5, place[1] + 0.5], erase);
        end();
      }
      showCursor();
      say(`Fila ${place[1]}, columna ${place[0]}`);
    });
    board.addEventListener("blur", () => (cursor.hidden = true));

    const file = el("input", {
      type: "file",
      accept: "image/*",
      class: "lab-oculto",
      onchange: touch(async () => {
        try {
          if (file.files[0]) show(await fromFile(file.files[0]));
        } catch {
          say("Ese archivo no es una imagen que el navegador pueda leer.", true);
        }
        file.value = "";
      }),
    });
    const tools = el(
      "div",
      { class: "lab-botones" },
      button("Borrar todo", touch(() => show(new Uint8Array(SIZE), new Uint8Array(SIZE)))),
      eraser,
      button("Reflejar", touch(() => show(mirrored(state.bytes), state.drawing && mirrored(state.drawing)))),
      el("label", { class: "lab-archivo" }, "Cargar una imagen…", file),
      el("label", {}, fill, " Rellenar el contorno"),
      el("label", {}, fit, " Ajustar al marco"),
      el("label", {}, over, " Dibujar sobre la prenda"),
    );

    const network = el("select", {
      onchange: touch(() => {
        const wanted = network.value;
        choose(wanted).catch((error) => {
          say(error.message, true);
          refresh(); // so that the network that is still there is shown as chosen
        });
      }),
    });
    for (const { id, titulo, kB } of DATA.redes)
      network.append(el("option", { value: id }, id === DATA.redes[0].id ? titulo : `${titulo} (${(kB / 1000).toFixed(1)} MB)`));

    const verdict = el("p", { class: "lab-veredicto" }, "Cargando la red…");
    // What comes later finds its place kept.
    const labelled = () => `Su etiqueta: ${CLASSES[DATA.etiquetas[state.garment]]}. Para dibujar otra, basta con trazar su contorno sobre el recuadro.`;
    const hint = el("p", { class: "lab-titulo" }, labelled());
    const [table, showBars] = bars("Probabilidades", ["Probabilidad"]);
    table.querySelector("thead").classList.add("lab-oculto");
    const input = canvas("Lo que ve la red");
    const output = canvas("Reconstrucción");
    const difference = canvas("Diferencia entre la reconstrucción y la prenda");
    const error = el("span", {}, "\u00a0");
    const [code, showCode] = codeBars("Código");
    const codeTitle = el("p", { class: "lab-titulo" }, "\u00a0");
    const numbers = el("tbody");
    const details = el(
      "details",
      { ontoggle: () => refresh() },
      el("summary", {}, "El código, en números"),
      el("div", { class: "lab-rollo", tabindex: 0, role: "region", "aria-label": "El código, en números" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Neurona"), el("th", { scope: "col" }, "Valor"))), numbers)),
    );

    const shelf = el("select", { onchange: touch(() => take(10 * Number(shelf.value) + 5)) });
    CLASSES.forEach((name, label) => shelf.append(el("option", { value: label }, name)));
    const pieces = Array.from({ length: 10 }, (_, i) => button("", touch(() => take(10 * Number(shelf.value) + i)), { class: "lab-prenda" }));

    mount.append(
      verdict,
      hint,
      el(
        "div",
        { class: "lab-taller" },
        el("div", { class: "lab-marco" }, board, cursor),
        table,
        el("div", { class: "lab-salida" }, figure("Lo que ve la red", input), figure("Reconstrucción", output), figure("Diferencia", difference, el("br"), error)),
      ),
      tools,
      el(
        "div",
        { class: "lab-eleccion" },
        el("label", {}, "Prenda ", shelf),
        el("div", { class: "lab-prendas", role: "group", "aria-label": "Las diez de esa clase" }, ...pieces),
        el("label", {}, "Red ", network),
      ),
      codeTitle,
      code,
      details,
    );

    return () => {
      paint(board, state.drawing ? toPixels(state.drawing) : now.pixels);
      paint(input, now.pixels);
      paint(output, now.output);
      paint(difference, now.output.map((value, i) => value - now.pixels[i]), SIGNED);
      error.textContent = `ECM ${now.error.toFixed(4)}`;
      showBars([now.probabilities]);
      verdict.textContent = now.probabilities ? `La red ve: ${seen()}` : seen();
      hint.textContent = state.garment === null ? mirrorHint() : labelled();
      const silent = (neuron) => model.ready?.most[neuron] === 0;
      showCode(now.code, Math.max(1, ...now.code), silent);
      const mute = Array.from(now.code.keys()).filter(silent).length;
      codeTitle.textContent = `Código: ${model.n} neuronas${state.code ? ", cambiado a mano" : ""}${mute ? `. Con un punto, las ${mute} que valen 0 con todas las prendas` : ""}`;
      if (details.open) numbers.replaceChildren(...Array.from(now.code, (value, i) => el("tr", {}, el("th", { scope: "row" }, i), el("td", {}, value.toFixed(3)))));
      network.value = state.network;
      if (state.garment !== null) shelf.value = DATA.etiquetas[state.garment];
      pieces.forEach((piece, i) => {
        const index = 10 * Number(shelf.value) + i;
        thumbnail(piece, index);
        piece.setAttribute("aria-label", name(index));
        piece.setAttribute("aria-pressed", index === state.garment);
      });
    };
  };

  function seen() {
    if (!now.probabilities) return "Esta red solo reconstruye: el libro no guarda su clasificador.";
    const label = best(now.probabilities);
    return `${CLASSES[label]}, ${percent(now.probabilities[label])}`;
  }

  // The shoes of Fashion-MNIST point to the left: one that points to the right is something else to the network.
  function mirrorHint() {
    if (!now.probabilities) return "";
    const other = classify(model, mirrored(now.pixels));
    const label = best(other);
    const better = label !== best(now.probabilities) && other[label] > Math.max(...now.probabilities);
    return better ? `Reflejado, sería: ${CLASSES[label]}, ${percent(other[label])}` : "";
  }

  function thumbnail(element, index) {
    element.style.backgroundPosition = `${((index % 10) * 100) / 9}% ${(Math.floor(index / 10) * 100) / 9}%`;
  }

  parts.capas = (mount) => {
    let random = null;
    let drawn = null; // of which pixels; each press draws anew
    const again = (source) => () => {
      random = source;
      drawn = null;
      refresh();
    };
    const stages = el("div", { class: "lab-capas" });
    const off = button("Sin dropout", again(null), { disabled: true });
    const note = el("p", { class: "lab-titulo", "aria-live": "polite" });
    mount.append(el("div", { class: "lab-botones" }, button("Con dropout: otro sorteo", again(() => Math.random())), off), note, stages);
    const titles = {
      Conv2d: ({ capa }) => `Convolución de ${capa.weight.shape[2]} × ${capa.weight.shape[2]}`,
      ConvTranspose2d: ({ capa }) => `Convolución transpuesta de ${capa.weight.shape[2]} × ${capa.weight.shape[2]}`,
      MaxPool2d: ({ capa }) => `Max pooling de ${capa.kernel} × ${capa.kernel}`,
      Flatten: () => "Aplanado",
      Unflatten: () => "Reordenado",
      Linear: () => "Capa lineal",
    };
    const follow = { ReLU: "ReLU", Sigmoid: "sigmoide" };
    return () => {
      if (drawn === now.pixels) return;
      drawn = now.pixels;
      // A layer with what is applied to its output, up to the next.
      const shown = [{ title: "Prenda", forma: [1, SIDE, SIDE], valores: now.pixels }];
      for (const layer of trace([...model.encoder, ...model.decoder], now.pixels, random)) {
        if (layer.tipo in titles) shown.push({ ...layer, title: titles[layer.tipo](layer) });
        else {
          const last = shown.at(-1);
          if (layer.tipo === "Dropout" && random && layer.capa.p) last.title += ", dropout";
          if (layer.tipo in follow) last.title += `, ${follow[layer.tipo]}`;
          Object.assign(last, { forma: layer.forma, valores: layer.valores });
        }
      }
      off.disabled = !random;
      note.textContent = random
        ? `Con dropout, el ECM de este sorteo es ${squaredError(shown.at(-1).valores, now.pixels).toFixed(4)}; sin él, ${squaredError(decode(model, now.own), now.pixels).toFixed(4)}.`
        : "";
      stages.replaceChildren(...shown.map(stage));
    };

    function wide(text, picture, width) {
      const made = figure(text, picture);
      made.style.width = `min(100%, ${Math.max(180, width)}px)`;
      picture.style.width = `min(100%, ${width}px)`;
      return made;
    }

    function stage({ title, forma, valores }) {
      const most = Math.max(...valores.map(Math.abs)) || 1;
      const scaled = valores.map((value) => value / most);
      const text = `${title}: ${forma.join(" × ")}`;
      if (forma.length === 1) {
        const columns = Math.min(forma[0], 50);
        const rows = Math.ceil(forma[0] / columns);
        const picture = canvas(`${text} números`, columns, rows);
        const padded = new Float32Array(columns * rows);
        padded.set(scaled);
        paint(picture, padded, HEAT);
        return wide(text, picture, 7 * columns);
      }
      const [channels, height, width] = forma;
      const across = channels === 1 ? 1 : 8;
      const picture = canvas(`${text} píxeles`, across * (width + 1) - 1, Math.ceil(channels / across) * (height + 1) - 1);
      for (let c = 0; c < channels; c++)
        paint(picture, scaled, GREY, c * width * height, (c % across) * (width + 1), Math.floor(c / across) * (height + 1), width, height);
      return wide(text, picture, picture.width * Math.max(1, Math.round(52 / width)));
    }
  };

  parts.codigo = (mount) => {
    const output = canvas("Lo que el decodificador dibuja con este código");
    const box = el("div", { class: "lab-controles" });
    const of_class = el("select", { "aria-label": "Promedio de una clase", onchange: touch(averageOfClass) }, el("option", { value: "" }, "Promedio de una clase…"));
    CLASSES.forEach((name, label) => of_class.append(el("option", { value: label }, name)));
    mount.append(
      el("div", { class: "lab-botones" }, button("Volver al código de la prenda", touch(() => change(null))), of_class, button("Al azar", touch(atRandom))),
      el("div", { class: "lab-mitades" }, figure("Reconstrucción", output), box),
    );
    let controls = [];
    let built = null;
    const change = (code) => {
      state.code = code;
      refresh();
    };

    async function averageOfClass() {
      if (of_class.value === "") return;
      const { codes } = await statistics(model);
      const own = codes.filter((_, index) => DATA.etiquetas[index] === Number(of_class.value));
      change(Float32Array.from(own[0], (_, i) => average(own.map((code) => code[i]))));
    }

    // Each neuron as in some garment, drawn for each anew.
    async function atRandom() {
      const { codes } = await statistics(model);
      change(Float32Array.from(codes[0], (_, i) => codes[Math.floor(Math.random() * codes.length)][i]));
    }

    function build({ active, most }) {
      built = model;
      controls = active.map((neuron) => {
        const made = slider(`Neurona ${neuron}`, { min: 0, max: (1.25 * most[neuron]).toFixed(2), step: 0.01 }, (value) => {
          const code = Float32Array.from(state.code ?? now.own);
          code[neuron] = value;
          change(code);
        });
        return { neuron, ...made };
      });
      box.replaceChildren(...controls.map(({ row }) => row));
    }

    return () => {
      paint(output, now.output);
      if (!model.ready) return;
      if (built !== model) build(model.ready);
      for (const { neuron, input, value } of controls) {
        if (document.activeElement !== input || !state.code) input.value = now.code[neuron];
        value.textContent = now.code[neuron].toFixed(2);
      }
      if (!state.code) of_class.value = "";
    };
  };

  parts.camino = (mount) => {
    const titles = ["Desde", "Por el código", "Por los píxeles", "Hasta"];
    const pictures = titles.map((title) => canvas(title));
    const target = garmentSelect("Hasta qué prenda", (index) => ((state.target = index), refresh()));
    const walk = slider("De una a otra", { min: 0, max: 1, step: 0.01 }, (value) => ((state.step = value), refresh()));
    mount.append(
      el("div", { class: "lab-botones" }, el("label", {}, "Hasta ", target)),
      walk.row,
      el("div", { class: "lab-imagenes" }, ...titles.map((title, i) => figure(title, pictures[i]))),
    );
    return () => {
      const end = garment(state.target);
      const endCode = encode(model, end);
      const between = (a, b) => a.map((value, i) => value + state.step * (b[i] - value));
      paint(pictures[0], now.pixels);
      paint(pictures[1], decode(model, between(now.own, endCode)));
      paint(pictures[2], between(now.pixels, end));
      paint(pictures[3], end);
      target.value = state.target;
      walk.input.value = state.step;
      walk.value.textContent = `${Math.round(100 * state.step)} %`;
    };
  };

  parts.mapa = (mount) => {
    const ground = el("div", { class: "lab-mapa", role: "group", "aria-label": "Mapa de las cien prendas. Las flechas llevan de una a la vecina; Intro la lleva al laboratorio." });
    const cross = el("span", { class: "lab-cruz" });
    const garmentView = canvas("Prenda señalada");
    const outputView = canvas("Lo que el decodificador dibuja ahí");
    const caption = el("p", { class: "lab-titulo" });
    const across = slider("Hacia la derecha", { min: 0, max: 1, step: 0.01 }, () => ask([Number(across.input.value), Number(up.input.value)]));
    const up = slider("Hacia arriba", { min: 0, max: 1, step: 0.01 }, () => ask([Number(across.input.value), Number(up.input.value)]));
    const points = DATA.etiquetas.map((_, index) =>
      button("", touch(() => take(index)), {
        class: "lab-punto",
        tabindex: index === START ? 0 : -1,
        "aria-label": name(index),
        onmouseenter: () => point(index),
        onfocus: () => point(index),
      }),
    );
    ground.append(...points, cross);
    mount.append(
      el("div", { class: "lab-mitades lab-con-mapa" }, ground, el("div", {}, el("div", { class: "lab-imagenes" }, figure("Prenda", garmentView), figure("Decodificada", outputView)), caption)),
      el("p", {}, "Una prenda se mira al señalarla y pasa al laboratorio con un clic. Un clic en el fondo, o estos dos controles, decodifican un punto cualquiera:"),
      across.row,
      up.row,
    );
    let limits = null;
    let built = null;
    const position = (place) => place.map((value, axis) => (value - limits[axis][0]) / (limits[axis][1] - limits[axis][0]));

    function point(index) {
      if (!model?.ready) return;
      paint(garmentView, garment(index));
      paint(outputView, decode(model, model.ready.codes[index]));
      caption.textContent = `${name(index)}: la prenda y su reconstrucción`;
      points.forEach((other, i) => (other.tabIndex = i === index ? 0 : -1));
    }

    // A point of the plane has a code: the mean and so much of each direction. No neuron is below 0.
    function ask(wanted) {
      if (!model?.ready) return;
      const at = wanted.map((part) => Math.max(0, Math.min(1, part)));
      const { mean, plane } = model.ready;
      const amounts = at.map((part, axis) => limits[axis][0] + part * (limits[axis][1] - limits[axis][0]));
      const code = Float32Array.from(mean, (value, i) => Math.max(0, value + amounts[0] * plane.directions[0][i] + amounts[1] * plane.directions[1][i]));
      garmentView.getContext("2d").clearRect(0, 0, SIDE, SIDE);
      paint(outputView, decode(model, code));
      caption.textContent = "Un punto donde no hay ninguna prenda";
      [across.input.value, up.input.value] = at;
      [across.value.textContent, up.value.textContent] = amounts.map((amount) => amount.toFixed(1));
      cross.style.left = `${100 * at[0]}%`;
      cross.style.bottom = `${100 * at[1]}%`;
      cross.hidden = false;
    }

    ground.addEventListener("click", (event) => {
      if (event.target !== ground) return;
      const box = ground.getBoundingClientRect();
      ask([(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height]);
    });
    ground.addEventListener("keydown", (event) => {
      const index = points.indexOf(event.target);
      const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!direction || index < 0 || !model?.ready) return;
      event.preventDefault();
      const places = model.ready.plane.places.map(position);
      // The nearest of those that lie more in that direction than to its side.
      const distance = (place) => {
        const [dx, dy] = [place[0] - places[index][0], place[1] - places[index][1]];
        const along = dx * direction[0] + dy * direction[1];
        const beside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
        return along > 0 && along >= beside ? along + beside : Infinity;
      };
      const distances = places.map(distance);
      const nearest = distances.indexOf(Math.min(...distances));
      if (distances[nearest] < Infinity) points[nearest].focus();
    });

    return () => {
      if (!model.ready) return;
      if (built !== model) {
        built = model;
        const { places } = model.ready.plane;
        limits = [0, 1].map((axis) => {
          const values = places.map((place) => place[axis]);
          // The map is less high than wide, and a picture on its edge needs the same room.
          const margin = (axis ? 0.1 : 0.06) * (Math.max(...values) - Math.min(...values));
          return [Math.min(...values) - margin, Math.max(...values) + margin];
        });
        places.map(position).forEach(([x, y], index) => {
          points[index].style.left = `${100 * x}%`;
          points[index].style.bottom = `${100 * y}%`;
          thumbnail(points[index], index);
        });
        cross.hidden = true;
        point(state.garment ?? START);
      }
      points.forEach((other, index) => other.classList.toggle("lab-elegida", index === state.garment));
    };
  };

  parts.tapar = (mount) => {
    const picture = canvas("La prenda con una parte tapada");
    picture.classList.add("lab-tapable");
    const heat = canvas("Mapa de sensibilidad", 14, 14);
    const heatText = el("p", { class: "lab-titulo", "aria-live": "polite" });
    const [table, show] = bars("Con la parte tapada", ["Con la ReLU del artículo", "Sin ella"]);
    const move = (patch) => {
      Object.assign(state.patch, patch);
      refresh();
    };
    const row = slider("Fila", { min: 0, max: SIDE - 1, step: 1 }, (value) => move({ row: value }));
    const column = slider("Columna", { min: 0, max: SIDE - 1, step: 1 }, (value) => move({ column: value }));
    const size = slider("Lado", { min: 5, max: 11, step: 2 }, (value) => move({ size: value }));
    const measure = button("Mapa de sensibilidad", touch(sensitivity));
    mount.append(
      el(
        "div",
        { class: "lab-mitades" },
        el("div", {}, el("div", { class: "lab-imagenes" }, figure("Arrastre el parche", picture), figure("Sensibilidad", heat)), row.row, column.row, size.row, el("div", { class: "lab-botones" }, measure), heatText),
        table,
      ),
    );
    const toPlace = (event) => {
      const box = picture.getBoundingClientRect();
      const cell = (at, from, length) => Math.max(0, Math.min(SIDE - 1, Math.floor(((at - from) / length) * SIDE)));
      touched = true;
      move({ row: cell(event.clientY, box.top, box.height), column: cell(event.clientX, box.left, box.width) });
    };
    picture.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      picture.setPointerCapture(event.pointerId);
      toPlace(event);
    });
    picture.addEventListener("pointermove", (event) => {
      if (picture.hasPointerCapture(event.pointerId)) toPlace(event);
    });

    const covered = ({ row, column, size }) => {
      const half = (size - 1) / 2;
      return now.pixels.map((value, at) =>
        Math.abs(Math.floor(at / SIDE) - row) <= half && Math.abs((at % SIDE) - column) <= half ? 0 : value,
      );
    };

    let measured = null; // of which pixels and size
    const same = (of) => of?.pixels === now.pixels && of.size === state.patch.size;
    async function sensitivity() {
      if (!now.probabilities) return;
      const [of, at, which] = [{ pixels: now.pixels, size: state.patch.size }, best(now.probabilities), model];
      const drops = new Float32Array(14 * 14);
      measured = of;
      for (let i = 0; i < drops.length; i++) {
        const patch = { row: 2 * Math.floor(i / 14), column: 2 * (i % 14), size: state.patch.size };
        drops[i] = now.probabilities[at] - classify(which, covered(patch))[at];
        if (i % 14 === 13) {
          paint(heat, drops.map((drop) => Math.max(0, drop)), HEAT);
          await new Promise((resolve) => setTimeout(resolve));
          if (!same(of)) return; // another garment meanwhile
        }
      }
      const worst = best(drops);
      heatText.textContent = `Donde más cuenta, alrededor de la fila ${2 * Math.floor(worst / 14)} y la columna ${2 * (worst % 14)}, tapar baja la probabilidad de «${CLASSES[at]}» ${(100 * drops[worst]).toFixed(1)} puntos.`;
    }

    return () => {
      const pixels = covered(state.patch);
      paint(picture, pixels);
      const context = picture.getContext("2d");
      const half = (state.patch.size - 1) / 2;
      context.strokeStyle = "#ee7733";
      context.strokeRect(state.patch.column - half - 0.5, state.patch.row - half - 0.5, state.patch.size + 1, state.patch.size + 1);
      show([classify(model, pixels), classify(model, pixels, { relu: false })]);
      measure.disabled = !model.classifier;
      for (const [control, value] of [[row, state.patch.row], [column, state.patch.column], [size, state.patch.size]]) {
        control.input.value = value;
        control.value.textContent = value;
      }
      if (!same(measured)) {
        measured = null;
        paint(heat, new Float32Array(14 * 14), HEAT);
        heatText.textContent = "La sensibilidad se calcula con el botón.";
      }
    };
  };

  parts.perder = (mount) => {
    const painted = canvas("La prenda con las filas y columnas 26 y 27 pintadas");
    const difference = canvas("Cuánto cambia la reconstrucción con otro código");
    const ofCode = el("p", { "aria-live": "polite" });
    const ofImage = el("p", { "aria-live": "polite" });
    let noise = null;
    let other = null;
    const change = figure("Cambio de la reconstrucción", difference);
    const random = (length) => Float32Array.from({ length }, Math.random);
    mount.append(
      el(
        "div",
        { class: "lab-mitades" },
        el("div", {}, button("Pintar solo las filas y columnas 26 y 27", () => ((noise = random(SIZE)), refresh())), figure("Prenda", painted), ofCode),
        el("div", {}, button("Cambiar solo el código", () => ((other = random(model.n)), refresh())), change, ofImage),
      ),
    );
    const border = (at, first) => Math.floor(at / SIDE) >= first || at % SIDE >= first;
    const greatest = (a, b, kept = () => true) => a.reduce((most, value, i) => (kept(i) ? Math.max(most, Math.abs(value - b[i])) : most), 0);
    const amount = (value) => (value === 0 ? "0: nada" : value < 1e-6 ? "menos de una millonésima: nada más que redondeo" : value.toFixed(3));
    return () => {
      const pixels = now.pixels.map((value, at) => (noise && border(at, 26) ? noise[at] : value));
      paint(painted, pixels);
      const seenChange = greatest(encode(model, pixels), now.own);
      ofCode.textContent = noise ? `Lo que más cambia un número del código: ${amount(seenChange)}.` : "";
      if (other?.length !== model.n) other = null; // that of another network
      const changed = other ? now.own.map((value, i) => value + 4 * other[i]) : now.own;
      const [before, after] = [now.own, changed].map((code) => decode(model, code));
      paint(difference, after.map((value, i) => value - before[i]), SIGNED);
      change.hidden = !other; // it would be black
      ofImage.textContent = other
        ? `Lo que más cambia un píxel de las filas y columnas 25 a 27: ${amount(greatest(before, after, (at) => border(at, 25)))}. De las demás: ${amount(greatest(before, after, (at) => !border(at, 25)))}.`
        : "Se ve al cambiar el código.";
    };
  };

  parts.comparar = (mount) => {
    const others = DATA.redes.reduce((sum, { kB }) => sum + kB, 0) - DATA.redes[0].kB;
    const start = button(`Comparar las ${DATA.redes.length} redes (${((others * 4) / 3000).toFixed(1)} MB)`, async () => {
      start.disabled = true;
      say("Cargando las otras redes.");
      try {
        await Promise.all(DATA.redes.map(({ id }) => load(id)));
        say("Las redes están cargadas.");
        start.hidden = true;
        build();
        refresh();
      } catch (error) {
        start.disabled = false;
        say(error.message, true);
      }
    });
    const box = el("div", { class: "lab-imagenes lab-redes" });
    mount.append(start, box);
    let views = [];
    function build() {
      const source = canvas("Prenda");
      views = DATA.redes.map(({ id, titulo }) => ({ model: models[id], picture: canvas(`Reconstrucción de la red ${titulo}`), text: el("span") }));
      box.replaceChildren(figure("Prenda", source), ...views.map(({ model, picture, text }) => figure(model.titulo, picture, el("br"), text)));
      views.source = source;
    }
    return () => {
      if (!views.length) return;
      paint(views.source, now.pixels);
      for (const { model, picture, text } of views) {
        const output = decode(model, encode(model, now.pixels));
        const probabilities = classify(model, now.pixels);
        paint(picture, output);
        const label = probabilities && best(probabilities);
        text.textContent = `ECM ${squaredError(output, now.pixels).toFixed(4)}. ${probabilities ? `${CLASSES[label]}, ${percent(probabilities[label])}` : "Sin clasificador"}`;
      }
    };
  };

  parts.guardar = (mount) => {
    const code = el("code");
    const copy = (text, said) => async () => {
      let copied = true;
      try {
        await navigator.clipboard.writeText(text());
      } catch {
        // A page opened as a file may have no clipboard; what is selected can be copied all the same.
        const area = el("textarea", { class: "lab-oculto", "aria-hidden": "true" });
        area.value = text();
        mount.append(area);
        area.select();
        copied = document.execCommand("copy");
        area.remove();
      }
      say(copied ? said : "El navegador no deja copiar: el texto está a la vista más abajo.", true);
    };
    mount.append(
      el(
        "div",
        { class: "lab-botones" },
        button("Copiar la dirección", copy(() => location.href.replace(/#.*/, "") + address(), "Dirección copiada.")),
        button("Copiar el Python equivalente", copy(() => code.textContent, "Python copiado.")),
        button("Guardar la imagen", save),
      ),
      el("details", {}, el("summary", {}, "Ver el Python equivalente"), el("pre", { tabindex: 0 }, code)),
    );
    return () => (code.textContent = python());
  };

  // What computes the same with the project's package.
  function python() {
    const lines = (text) => text.match(/.{1,88}/g).map((part) => `    "${part}"`);
    const drawn = state.garment === null;
    const classifier = model.python.clasificador;
    const numbers = Array.from(now.code, (value) => String(Number(value.toPrecision(9))));
    const source = drawn
      ? ["dibujo = base64.b64decode(", ...lines(btoa(String.fromCharCode(...state.bytes))), ")", "x = torch.frombuffer(bytearray(dibujo), dtype=torch.uint8).view(1, 1, 28, 28) / 255"]
      : [`x = data.load().test[[${DATA.posiciones[state.garment]}]].pixels  # ${CLASSES[DATA.etiquetas[state.garment]]}`];
    return [
      ...(drawn ? ["import base64", ""] : []),
      "import torch",
      "",
      "from moda import data",
      `from moda.runs import ${classifier ? "AutoencoderRun, ClassifierRun" : "AutoencoderRun"}, obtain`,
      "",
      ...source,
      `autoencoder = obtain(${model.python.autoencoder}).model()`,
      ...(classifier ? [`clasificador = obtain(${classifier}).model()`] : []),
      "with torch.no_grad():",
      state.code ? `    codigo = torch.tensor([[${numbers.join(", ")}]])` : "    codigo = autoencoder.encoder(x)",
      "    reconstruccion = autoencoder.decoder(codigo)",
      ...(classifier ? ["    probabilidades = clasificador(x).softmax(1)", "for clase, probabilidad in zip(data.CLASSES, probabilidades[0]):", '    print(f"{clase}: {100 * probabilidad:.1f} %")'] : []),
      "",
    ].join("\n");
  }

  // The garment, what the network makes of it and the probabilities, as a PNG.
  function save() {
    const picture = el("canvas", { width: 920, height: 340 });
    const context = picture.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, picture.width, picture.height);
    context.imageSmoothingEnabled = false;
    context.fillStyle = "black";
    context.font = "16px sans-serif";
    for (const [i, [title, values]] of [["Prenda", now.pixels], ["Reconstrucción", now.output]].entries()) {
      const small = el("canvas", { width: SIDE, height: SIDE });
      paint(small, values);
      context.drawImage(small, 20 + 300 * i, 40, 280, 280);
      context.fillText(title, 20 + 300 * i, 28);
    }
    context.fillText(model.titulo, 620, 28);
    CLASSES.forEach((name, label) => {
      const y = 56 + 28 * label;
      context.fillText(name, 620, y);
      if (!now.probabilities) return;
      context.fillRect(725, y - 12, 110 * now.probabilities[label], 14);
      context.fillText(percent(now.probabilities[label]), 845, y);
    });
    picture.toBlob((blob) => {
      const link = el("a", { href: URL.createObjectURL(blob), download: "laboratorio.png" });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }

  // ---- What a screen reader hears ----

  const status = el("p", { role: "status", class: "lab-oculto" });
  const notice = el("p", { class: "lab-aviso", hidden: true });
  let saying = null;
  let hiding = null;
  let lastSeen = null;

  // At most once in a while: what came before is not said.
  function say(text, visible = false) {
    clearTimeout(saying);
    saying = setTimeout(() => (status.textContent = text), 400);
    notice.hidden = !visible;
    notice.textContent = visible ? text : "";
    clearTimeout(hiding);
    if (visible) hiding = setTimeout(() => (notice.hidden = true), 4000);
  }

  function announce() {
    const label = now.probabilities ? CLASSES[best(now.probabilities)] : null;
    if (label && label !== lastSeen && lastSeen !== null) say(`La red ve: ${seen()}`);
    lastSeen = label;
  }

  // ---- Start ----

  async function start() {
    const sprite = el("canvas", { width: 10 * SIDE, height: 10 * SIDE });
    for (const index of DATA.etiquetas.keys()) {
      if (index % 10 === 0) await pause();
      paint(sprite, garment(index), GREY, 0, (index % 10) * SIDE, Math.floor(index / 10) * SIDE, SIDE, SIDE);
    }
    await pause();
    // In a rule, which is read once, and not in a property, which each thumbnail would read again.
    document.head.append(el("style", {}, `.lab-prenda, .lab-punto { background-image: url(${sprite.toDataURL()}) !important; }`));
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const part = updates.find(({ mount }) => mount === target);
          part.visible = isIntersecting;
          if (part.visible) bring(part);
        }
      },
      { rootMargin: "200px" },
    );
    for (const mount of document.querySelectorAll(".laboratorio")) {
      await pause();
      const part = { mount, update: parts[mount.dataset.part](mount), visible: mount.dataset.part === "taller", stale: true };
      updates.push(part);
      observer.observe(mount);
    }
    document.body.append(status, notice);
    choose(...recall()).catch(() => choose(DATA.redes[0].id));
    addEventListener("hashchange", () => {
      if (location.hash.includes("=")) choose(...recall()).catch((error) => say(error.message, true));
    });
    // Paper waits for nothing.
    addEventListener("beforeprint", () => {
      if (!model) return;
      model.ready ??= summary(DATA.etiquetas.map((_, index) => encode(model, garment(index))));
      for (const { update } of updates) update();
    });
  }

  globalThis.laboratorio = {
    recibir: receive,
    redes: DATA.redes.map(({ id }) => id),
    clases: CLASSES,
    get red() {
      return state.network;
    },
    get estado() {
      return { ...state, codigoPropio: now?.own, reconstruccion: now?.output, probabilidades: now?.probabilities };
    },
    elegir: choose,
    codificar: (pixels) => encode(model, pixels),
    decodificar: (code) => decode(model, code),
    clasificar: (pixels, options) => classify(model, pixels, options),
    // Every layer's output, by the name of its module in PyTorch; of the classifier if that is asked for.
    capas: (pixels, { clasificador = false } = {}) =>
      trace(clasificador ? model.classifier : [...model.encoder, ...model.decoder], pixels).map(({ nombre, tipo, forma, valores }) => ({ nombre, tipo, forma, valores })),
    python,
  };
  arrival(DATA.redes[0].id); // the page has its script already
  start();
})();
