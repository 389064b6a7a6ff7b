// @ts-check
// needs: lab.js
// What every layer makes of the garment, without dropout or with it.
"use strict";

live.part("capas", (element, { lab }) => {
  const { div, button, note, figure } = Elements;
  const { SIDE, GREY, HEAT } = Pictures;
  /** @type {(() => number) | null} */
  let random = null;
  /** @type {Float32Array | null} */
  let drawn = null; // of which pixels; each press draws anew
  const again = (source) => () => {
    random = source;
    drawn = null;
    lab.refresh();
  };
  const stages = div("live-layers");
  const on = button(
    "Con dropout: otro sorteo",
    again(() => Math.random()),
  );
  const off = button("Sin dropout", again(null), { disabled: true });
  const said = note("", { "aria-live": "polite" });
  element.append(div("live-buttons", on, off), said, stages);

  const square = (side) => `${side} × ${side}`;
  const titles = {
    Conv2d: ({ weight }) => `Convolución de ${square(weight.shape[2])}`,
    ConvTranspose2d: ({ weight }) => `Convolución transpuesta de ${square(weight.shape[2])}`,
    MaxPool2d: ({ kernel }) => `Max pooling de ${square(kernel)}`,
    Flatten: () => "Aplanado",
    Unflatten: () => "Reordenado",
    Linear: () => "Capa lineal",
  };
  const follow = { ReLU: "ReLU", Sigmoid: "sigmoide" };

  // A layer with what is applied to its output, up to the next.
  function grouped({ model, pixels }) {
    const shown = [{ title: "Prenda", shape: [1, SIDE, SIDE], values: pixels }];
    for (const { layer, shape, values } of Models.trace([...model.encoder, ...model.decoder], pixels, random)) {
      if (layer.type in titles) {
        shown.push({ title: titles[layer.type](layer), shape, values });
        continue;
      }
      const last = shown[shown.length - 1];
      if (layer.type === "Dropout" && random && layer.p) last.title += ", dropout";
      if (layer.type in follow) last.title += `, ${follow[layer.type]}`;
      Object.assign(last, { shape, values });
    }
    return shown;
  }

  function stage({ title, shape, values }) {
    const most = Math.max(...values.map(Math.abs)) || 1;
    const text = `${title}: ${shape.join(" × ")}`;
    const scaled = values.map((value) => value / most);
    return shape.length === 1 ? row(text, scaled) : maps(text, scaled, shape);
  }

  function row(text, values) {
    const columns = Math.min(values.length, 50);
    const picture = Pictures.canvas(`${text} números`, columns, Math.ceil(values.length / columns));
    const padded = new Float32Array(picture.width * picture.height);
    padded.set(values);
    Pictures.paint(picture, padded, HEAT);
    return wide(text, picture, 7 * columns);
  }

  function maps(text, values, [channels, height, width]) {
    const across = channels === 1 ? 1 : 8;
    const down = Math.ceil(channels / across);
    const picture = Pictures.canvas(`${text} píxeles`, across * (width + 1) - 1, down * (height + 1) - 1);
    for (let c = 0; c < channels; c++) {
      const [left, top] = [(c % across) * (width + 1), Math.floor(c / across) * (height + 1)];
      const map = values.subarray(c * width * height, (c + 1) * width * height);
      Pictures.paint(picture, map, GREY, [left, top, width, height]);
    }
    return wide(text, picture, picture.width * Math.max(1, Math.round(52 / width)));
  }

  function wide(text, picture, width) {
    const made = figure(text, picture);
    made.style.width = `min(100%, ${Math.max(180, width)}px)`;
    picture.style.width = `min(100%, ${width}px)`;
    return made;
  }

  return () => {
    const { model, pixels, own } = lab.now;
    if (drawn === pixels) return;
    drawn = pixels;
    const shown = grouped(lab.now);
    const error = (output) => Models.squaredError(output, pixels).toFixed(4);
    const [drop, plain] = [shown[shown.length - 1].values, Models.decode(model, own)];
    off.disabled = !random;
    said.textContent = random ? `Con dropout, el ECM de este sorteo es ${error(drop)}; sin él, ${error(plain)}.` : "";
    stages.replaceChildren(...shown.map(stage));
  };
});
