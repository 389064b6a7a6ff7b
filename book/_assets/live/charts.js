// needs: numbers.js
// A curve with its axes, and the point of it where the reader is.
const Charts = (() => {
  const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [340, 200, 44, 326, 164, 22];
  // From one stretch to another.
  const scaled = (value, from, to) => to[0] + ((value - from[0]) / (from[1] - from[0])) * (to[1] - to[0]);
  const ends = (numbers) => [numbers[0], numbers[numbers.length - 1]];

  function draw(tag, attributes, content = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.textContent = content;
    return element;
  }

  function marked(x, y, said) {
    const late = x > LEFT + 0.75 * (RIGHT - LEFT);
    const beside = { x: x + (late ? -8 : 8), y: Math.max(TOP + 10, y - 8), "text-anchor": late ? "end" : "start" };
    return [
      draw("path", { d: `M${x} ${BOTTOM} V${y}`, class: "live-drop" }),
      draw("circle", { cx: x, cy: y, r: 5, class: "live-dot" }),
      draw("text", beside, said),
    ];
  }

  // `across` is what is along the horizontal axis, `up` what along the other.
  function curve(label, across, up) {
    const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "live-chart" });
    let axes = { x: [0, 1], y: [0, 1] };
    const right = (value) => scaled(value, ends(axes.x), [LEFT, RIGHT]);
    const high = (value) => scaled(value, ends(axes.y), [BOTTOM, TOP]);
    const line = (points, kind) => {
      const path = points.map(([a, b]) => `${right(a).toFixed(1)},${high(b).toFixed(1)}`).join(" L");
      return draw("path", { d: path && `M${path}`, class: `live-line ${kind}` });
    };

    function show(/** @type {Curve} */ { points, at, said, x, y, others = [], name = Numbers.text }) {
      axes = { x, y };
      const [middle, end] = [{ "text-anchor": "middle" }, { "text-anchor": "end" }];
      picture.setAttribute("aria-label", `${label}: ${said}`);
      picture.replaceChildren(
        draw("path", { d: `M${LEFT} ${TOP} V${BOTTOM} H${RIGHT}`, class: "live-axis" }),
        ...others.map(([along, kind]) => line(along, kind)),
        line(points, ""),
        ...x.map((value) => draw("text", { x: right(value), y: BOTTOM + 14, ...middle }, name(value))),
        ...y.map((value) => draw("text", { x: LEFT - 5, y: high(value) + 4, ...end }, Numbers.text(value))),
        draw("text", { x: (LEFT + RIGHT) / 2, y: HEIGHT - 5, ...middle }, across),
        draw("text", { x: 4, y: 11 }, up),
        ...(at ? marked(right(at[0]), high(at[1]), said) : []),
      );
    }

    // What a place of the picture is worth, in parts of its height and of its width.
    const under = (down, across) => [
      scaled(across * WIDTH, [LEFT, RIGHT], ends(axes.x)),
      scaled(down * HEIGHT, [BOTTOM, TOP], ends(axes.y)),
    ];
    return { picture, show, under };
  }

  return { curve };
})();
