// needs: lab.js
// Each neuron of the code has a control.
live.part("codigo", (element) => {
  const { div, button, figure, slider, choice } = Elements;
  const output = Pictures.canvas("Lo que el decodificador dibuja con este código");
  const box = div("live-controls");
  const ofClass = choice("Promedio de una clase", ["…", ...Garments.classes], (position) => averageOf(position - 1));
  const back = button("Volver al código de la prenda", () => lab.set({ code: null }));
  element.append(
    div("live-buttons", back, ofClass.row, button("Al azar", atRandom)),
    div("live-halves", figure("Reconstrucción", output), box),
  );
  let controls = [];
  let built = null;
  let averaged; // of the class that is chosen

  function averageOf(label) {
    const own = lab.now.model.codes.filter((_, index) => Garments.labels[index] === label);
    averaged = own[0]?.map((_, neuron) => Numbers.mean(own.map((code) => code[neuron])));
    if (averaged) lab.set({ code: averaged });
  }

  // Each neuron as in some garment, drawn for each anew.
  function atRandom() {
    const { codes } = lab.now.model;
    const some = () => codes[Math.floor(Math.random() * codes.length)];
    lab.set({ code: codes[0].map((_, neuron) => some()[neuron]) });
  }

  function build(/** @type {Model} */ { active, most }) {
    controls = active.map((neuron) => {
      const limits = { min: 0, max: (1.25 * most[neuron]).toFixed(2), step: 0.01 };
      const change = (value) => lab.set({ code: (lab.state.code ?? lab.now.own).with(neuron, value) });
      return { neuron, ...slider(`Neurona ${neuron}`, limits, change) };
    });
    box.replaceChildren(...controls.map(({ row }) => row));
  }

  return () => {
    const { model, code } = lab.now;
    Pictures.paint(output, lab.now.output);
    if (built !== model) build(model);
    built = model;
    for (const { neuron, show } of controls) show(code[neuron], code[neuron].toFixed(2));
    if (lab.state.code !== averaged) ofClass.show(0);
  };
});
