// needs: network.js numbers.js pictures.js plots.js pointing.js cases.js data/map.js
// All test images as points of a plane; of one of them, the garment, its code and those whose codes are nearest.
live.part("vecinas", (element) => {
  const { el, div, button, note, figure, heading } = Elements;
  const { SIDE } = Pictures;
  const { classes } = mapData;
  const LABELS = Network.bytes(mapData.labels);
  const COORDINATES = new Uint16Array(Network.bytes(mapData.places).buffer);
  const places = Array.from(LABELS, (_, i) => [COORDINATES[2 * i] / 65535, COORDINATES[2 * i + 1] / 65535]);
  // As in the map of the chapter.
  const COLOURS = "#4aa6d5 #000000 #882255 #117733 #cc6677 #aa4499 #c9a227 #777722 #44aa99 #332288".split(" ");
  const [WIDTH, HEIGHT] = [1000, 750];
  const state = { chosen: 0, label: -1 };

  const says = "Mapa de las imágenes de prueba. Las flechas llevan de una a la vecina.";
  const ground = Pictures.canvas(says, WIDTH, HEIGHT);
  const chips = classes.map((name, label) => {
    const choose = () => set({ label: state.label === label ? -1 : label });
    return button(name, choose, { style: `border-left: 0.6rem solid ${COLOURS[label]}` });
  });
  const title = el("p");
  const bring = button("Traer las imágenes y los códigos (1.1 MB)", () => load().catch(sayError));
  const link = Cases.toLaboratory();
  const views = Array.from({ length: 6 }, (_, i) => {
    const [picture, text] = [Pictures.canvas(i ? "Vecina" : "La prenda"), i ? el("span") : link];
    return { picture, text, box: figure("", picture, text), mark: el("span", { class: "live-cross" }) };
  });
  const code = Plots.code("Código de la prenda");
  const pictures = div("live-pictures live-nearby", ...views.map(({ box }) => box));
  const about =
    "Su código, sin las neuronas que valen siempre 0. Las imágenes están comprimidas, y así van al laboratorio.";
  const found = div("", pictures, note(about), code.box);
  const map = div("live-map live-plane", ground, ...views.map(({ mark }) => mark));
  element.append(
    ...heading("¿A qué se parece cada prenda, según su código?", ...chips),
    div("live-halves live-with-map", map, div("", title, bring, found)),
  );
  Pointing.listen(ground, { at: point, step });

  const nearestFirst = (distances) => [...distances.keys()].sort((a, b) => distances[a] - distances[b]);

  function point(down, across) {
    const distances = places.map(([x, y]) => Math.hypot(x - across, 1 - y - down));
    set({ chosen: nearestFirst(distances)[0] });
  }

  // To the nearest of those that lie more in the direction of the arrow than to its side.
  function step(rows, columns) {
    const [x0, y0] = places[state.chosen];
    const distances = places.map(([x, y]) => {
      const [right, down] = [x - x0, y0 - y];
      const along = right * columns + down * rows;
      const beside = Math.abs(right * rows) + Math.abs(down * columns);
      return along > 0 && along >= beside ? along + beside : Infinity;
    });
    const [chosen] = nearestFirst(distances);
    if (distances[chosen] < Infinity) set({ chosen });
  }

  let painted = NaN; // for which class
  function paint() {
    if (painted === state.label) return;
    painted = state.label;
    const context = Pictures.context(ground);
    context.fillStyle = "white";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    const dot = (i, colour) => {
      context.fillStyle = colour;
      context.fillRect(places[i][0] * WIDTH - 2, (1 - places[i][1]) * HEIGHT - 2, 4, 4);
    };
    places.forEach((_, i) => dot(i, painted < 0 ? COLOURS[LABELS[i]] : "#d9d9d9"));
    if (painted >= 0) places.forEach((_, i) => LABELS[i] === painted && dot(i, COLOURS[painted]));
  }

  const sheet = new Image(); // of all garments, a hundred in a row
  let codes = []; // until they come
  async function load() {
    await live.script("data/map-codes.js");
    sheet.src = `data:image/webp;base64,${mapData.codes.sheet}`;
    await sheet.decode();
    codes = Network.rows({ shape: [places.length], values: Network.bytes(mapData.codes.codes) });
    draw();
  }

  function draw() {
    const { chosen } = state;
    const [there, label] = [codes.length > 0, LABELS[chosen]];
    const nearest = nearestFirst(codes.map((code) => Numbers.squaredError(code, codes[chosen])));
    const near = [chosen, ...nearest.filter((i) => i !== chosen).slice(0, 5)];
    paint();
    chips.forEach((chip, of) => chip.setAttribute("aria-pressed", String(of === state.label)));
    bring.hidden = there;
    found.style.visibility = there ? "" : "hidden";
    views.forEach(({ mark }, i) => {
      mark.hidden = !(i in near);
      if (i in near) [mark.style.left, mark.style.bottom] = places[near[i]].map((part) => `${100 * part}%`);
    });
    title.textContent = `${classes[label]}, imagen de prueba ${chosen}.`;
    if (!there) return title.textContent;
    const own = near.slice(1).filter((i) => LABELS[i] === label).length;
    title.textContent += ` De las cinco vecinas, ${own} de su clase.`;
    views.forEach(({ picture, text }, i) => {
      const [left, top] = [near[i] % 100, Math.floor(near[i] / 100)].map((at) => at * SIDE);
      Pictures.context(picture).drawImage(sheet, left, top, SIDE, SIDE, 0, 0, SIDE, SIDE);
      if (text !== link) text.textContent = `${classes[LABELS[near[i]]]}, ${near[i]}`;
    });
    const { data } = Pictures.context(views[0].picture).getImageData(0, 0, SIDE, SIDE);
    const bytes = data.filter((_, at) => at % 4 === 0);
    Cases.lead(link, bytes);
    code.show(Float32Array.from(codes[chosen], (value) => mapData.codes.unit * value));
    return title.textContent;
  }

  const fields = { imagen: ["chosen", 0, LABELS.length - 1], clase: ["label", -1, 9] };
  const set = Cases.keep("vecinas", state, fields, draw);
});
