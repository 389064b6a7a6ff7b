// needs: cases.js network.js pictures.js plots.js pointing.js data/confusion.js
// The confusion matrix: what is in a cell, and what the network says of it.
live.part("matriz", (element) => {
  const { el, div, button, figure, table, row, heading } = Elements;
  const { SIDE } = Pictures;
  const { classes, counts, cells } = confusionData;
  const state = { label: 6, said: 0, chosen: 0 };

  const share = (label, said) => counts[label][said] / counts[label].reduce((sum, count) => sum + count, 0);
  const percent = (label, said) => (100 * share(label, said)).toFixed(1);
  const named = (label, said) => classes[label] + (label === said ? ", bien reconocida" : ` → ${classes[said]}`);

  const buttons = counts.map((ofRow, label) => ofRow.map((count, said) => cell(count, label, said)));
  function cell(count, label, said) {
    const part = share(label, said);
    const tint = [8, 48, 107].map((full) => 255 + Math.sqrt(part) * (full - 255));
    return button(count ? percent(label, said) : "", () => set({ label, said, chosen: 0 }), {
      "aria-label": `${named(label, said)}: ${percent(label, said)} %`,
      style: `background: rgb(${tint}); color: ${part > 0.2 ? "white" : "black"}`,
      onkeydown: (event) => go(event, label, said),
    });
  }
  function go(event, label, said) {
    const step = Pointing.STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    buttons[label + step[0]]?.[said + step[1]]?.focus();
  }
  const says = "En cada fila, una clase; en cada columna, lo que dice la red. En % de la fila. Se recorre con flechas.";
  const rows = buttons.map((ofRow, label) => row(classes[label], ...ofRow));

  const title = el("p");
  const found = el("div", { class: "live-found", role: "group", "aria-label": "Las prendas de la casilla" });
  const picture = Pictures.canvas("La prenda elegida");
  const bars = Plots.probabilities("Probabilidades", classes, ["Probabilidad"]);
  const [which, link] = [el("span"), Cases.toLaboratory()];
  const one = div("live-with-bars", figure("", picture, which, el("br"), link), bars.table);
  element.append(
    ...heading("¿Qué prendas hay en cada casilla, y cuánto dudó la red?"),
    div("live-halves live-with-map", table("live-matrix", says, ["", ...classes], rows), el("div", {}, title, found)),
    one,
  );

  const bytes = (of, i) => Pictures.nth(Network.bytes(of.images), i);

  // With the probability of its class and, if it is another, of what the network says.
  function garment(of, i) {
    const labels = [...new Set([state.label, state.said])];
    const small = el("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
    Pictures.paint(small, Pictures.pixels(bytes(of, i)));
    const parts = labels.map((label) => Math.round(100 * of.probabilities[i][label]));
    const texts = parts.map((part, at) => el("span", { class: at ? "" : "live-own" }, String(part)));
    const told = parts.map((part, at) => `${classes[labels[at]]}, ${part} %`).join("; ");
    const one = button("", () => set({ chosen: i }), { "aria-label": `Imagen ${of.positions[i]}: ${told}` });
    one.append(small, ...texts);
    return one;
  }

  let listed; // the cell whose garments are there
  function draw() {
    const { label, said } = state;
    const count = counts[label][said];
    const here = cells[`${label}-${said}`];
    buttons.flat().forEach((one) => {
      const chosen = one === buttons[label][said];
      one.tabIndex = chosen ? 0 : -1;
      one.setAttribute("aria-pressed", String(chosen));
    });
    if (!here && count) live.script(`data/confusion-${label}-${said}.js`).then(draw, sayError);
    if (here !== listed) {
      found.replaceChildren(...(here?.positions ?? []).map((_, i) => garment(here, i)));
      found.scrollTop = 0;
      listed = here;
    }
    const some = here && here.positions.length < count ? `; las primeras ${here.positions.length}` : "";
    title.textContent = `${named(label, said)}: ${count} (${percent(label, said)} %)${some}`;
    one.style.visibility = here ? "" : "hidden";
    if (!here) return title.textContent;
    const chosen = Math.min(state.chosen, here.positions.length - 1);
    [...found.children].forEach((one, i) => one.setAttribute("aria-pressed", String(i === chosen)));
    Pictures.paint(picture, Pictures.pixels(bytes(here, chosen)));
    which.textContent = `Imagen de prueba ${here.positions[chosen]}. Su clase: ${classes[label]}`;
    bars.show([here.probabilities[chosen]]);
    Cases.lead(link, bytes(here, chosen));
    return title.textContent;
  }

  const fields = { fila: ["label", 0, 9], columna: ["said", 0, 9], prenda: ["chosen", 0, 999] };
  const set = Cases.keep("matriz", state, fields, draw);
});
