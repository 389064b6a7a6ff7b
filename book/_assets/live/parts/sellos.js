// needs: network.js numbers.js pictures.js cases.js
// A transposed convolution: each number of the input stamps the filter on the output.
live.part("sellos", (element) => {
  const { div, button, note, choice, heading } = Elements;
  const START = { input: [1, 2, 3, 4], stamp: [1, 2, 1, 2, 4, 2, 1, 2, 1], stride: 2 };
  const state = { ...START };
  const stride = choice("Paso", ["1", "2"], (value) => set({ stride: value + 1 }));
  const input = Numbers.table("La entrada", 2, (values) => set({ input: values }));
  const stamp = Numbers.table("El sello", 3, (values) => set({ stamp: values }));
  const alone = START.input.map((_, k) => Numbers.table(`Sello ${k}`, 5));
  const sum = Numbers.table("La salida: la suma", 5);
  const said = note();
  const back = button("Volver al comienzo", () => set(START));
  element.append(
    ...heading("¿De qué sellos sale cada número de la salida?", stride.row, back),
    div("live-stamps", ...[input, stamp, ...alone, sum].map(({ numbers }) => numbers)),
    said,
  );

  function stamped(values) {
    const weight = Network.tensor([1, 1, 3, 3], Float32Array.from(state.stamp));
    const layer = { type: "ConvTranspose2d", weight, bias: Network.tensor([1]), stride: state.stride, padding: 0 };
    return Network.forward([layer], Network.tensor([1, 2, 2], Float32Array.from(values))).values;
  }

  function draw() {
    const wide = state.stride + 3;
    const outputs = state.input.map((_, k) => stamped(state.input.map((value, i) => (i === k ? value : 0))));
    const together = stamped(state.input);
    const most = Math.max(...[...state.input, ...state.stamp, ...together].map(Math.abs)) || 1;
    const colour = (value) => Pictures.GREY(Math.abs(value) / most);
    // Whether the stamp of one number falls on another of the output.
    const within = (at, start) => at >= start && at < start + 3;
    const covers = (k, index) =>
      within(Math.floor(index / wide), state.stride * Math.floor(k / 2)) &&
      within(index % wide, state.stride * (k % 2));
    const shared = (index) => outputs.filter((_, k) => covers(k, index)).length > 1;
    input.show(state.input, colour);
    stamp.show(state.stamp, colour);
    outputs.forEach((values, k) => {
      const title = `El sello del ${Numbers.text(state.input[k])}`;
      alone[k].show(values, colour, { title, wide, marked: (index) => covers(k, index) });
    });
    sum.show(together, colour, { wide, marked: shared });
    stride.show(state.stride - 1);
    const many = Array.from(together.keys()).filter(shared).length;
    const text = `en los que se pisan dos o más: ${many} de ${together.length}`;
    return (said.textContent = `Recuadrados: en cada sello, dónde cae; en la suma, los números ${text}.`);
  }

  const fields = { entrada: ["input", -1e6, 1e6, 0.001], sello: ["stamp", -1e6, 1e6, 0.001], paso: ["stride", 1, 2] };
  const set = Cases.keep("sellos", state, fields, draw);
});
