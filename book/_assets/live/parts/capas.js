// needs: lab.js
// What every layer makes of the garment, without dropout or with it.
live.part("capas", (element) => {
  const { div, button, note, figure } = Elements;
  let random = null;
  let drawn = null; // of which pixels; each press draws anew
  function again(source) {
    random = source;
    drawn = null;
    lab.refresh();
  }
  const on = button("Con dropout: otro sorteo", () => again(() => Math.random()));
  const off = button("Sin dropout", () => again(null), { disabled: true });
  const said = note("", { "aria-live": "polite" });
  const stages = div("live-layers");
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
  const after = { ReLU: ", ReLU", Sigmoid: ", sigmoide", Dropout: ", dropout" };

  function stage({ layer, applied, shape, values }) {
    const names = applied.map(({ type, p }) => (type === "Dropout" && !(random && p) ? "" : after[type]));
    const title = [titles[layer.type]?.(layer) ?? "Prenda", ...names].join("");
    const picture = Pictures.canvas(title);
    Pictures.paintMaps(picture, Pictures.scaled(values), Pictures.asMaps(shape));
    const pixel = shape.length > 1 ? Math.max(1, Math.round(52 / shape[2])) : 7;
    const made = figure(`${title}: ${shape.join(" × ")}`, picture);
    made.style.width = `min(100%, ${Math.max(180, pixel * picture.width)}px)`;
    picture.style.width = `min(100%, ${pixel * picture.width}px)`;
    return made;
  }

  return () => {
    const { model, pixels, own } = lab.now;
    if (drawn === pixels) return;
    drawn = pixels;
    const shown = Models.stages([...model.encoder, ...model.decoder], pixels, random);
    const error = (output) => Numbers.squaredError(output, pixels).toFixed(4);
    const [drop, plain] = [shown[shown.length - 1].values, Models.decode(model, own)];
    off.disabled = !random;
    said.textContent = random ? `Con dropout, el ECM de este sorteo es ${error(drop)}; sin él, ${error(plain)}.` : "";
    stages.replaceChildren(...shown.map(stage));
  };
});
