// @ts-check
// needs: lab.js
// Each neuron of the code has a control.
"use strict";

live.part("codigo", (element, { lab }) => {
  const { el, div, button, figure, slider } = Elements;
  const { state } = lab;
  const output = Pictures.canvas("Lo que el decodificador dibuja con este código");
  const box = div("live-controls");
  const average = { "aria-label": "Promedio de una clase", onchange: averageOfClass };
  const none = el("option", { value: "" }, "Promedio de una clase…");
  const ofClass = el("select", average, none, ...Garments.classOptions());
  const back = button("Volver al código de la prenda", () => lab.set({ code: null }));
  element.append(
    div("live-buttons", back, ofClass, button("Al azar", atRandom)),
    div("live-halves", figure("Reconstrucción", output), box),
  );
  let controls = [];
  /** @type {Model | null} */
  let built = null;

  async function averageOfClass() {
    if (ofClass.value === "") return;
    const { codes } = await Statistics.of(lab.now.model);
    const own = codes.filter((_, index) => Garments.labels[index] === Number(ofClass.value));
    lab.set({ code: Float32Array.from(own[0], (_, i) => Statistics.average(own.map((code) => code[i]))) });
  }

  // Each neuron as in some garment, drawn for each anew.
  async function atRandom() {
    const { codes } = await Statistics.of(lab.now.model);
    const some = () => codes[Math.floor(Math.random() * codes.length)];
    lab.set({ code: Float32Array.from(codes[0], (_, i) => some()[i]) });
  }

  /** @param {Summary} summary */
  function build({ active, most }) {
    controls = active.map((neuron) => {
      const limits = { min: 0, max: (1.25 * most[neuron]).toFixed(2), step: 0.01 };
      const change = (value) => {
        const code = Float32Array.from(state.code ?? lab.now.own);
        code[neuron] = value;
        lab.set({ code });
      };
      return { neuron, ...slider(`Neurona ${neuron}`, limits, change) };
    });
    box.replaceChildren(...controls.map(({ row }) => row));
  }

  return () => {
    const { model, code } = lab.now;
    Pictures.paint(output, lab.now.output);
    if (!model.ready) return;
    if (built !== model) build(model.ready);
    built = model;
    for (const { neuron, input, value } of controls) {
      // The one that is being moved is where the hand is.
      if (document.activeElement !== input || !state.code) input.value = code[neuron];
      value.textContent = code[neuron].toFixed(2);
    }
    if (!state.code) ofClass.value = "";
  };
});
