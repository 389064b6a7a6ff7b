// needs: elements.js notices.js
// What a part shows, as the fragment of the page's address, such as #parte=sellos&paso=1; and images in addresses.
const Cases = (() => {
  const SAFE = { "+": "-", "/": "_", "=": "" };
  const encoded = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (sign) => SAFE[sign]);
  const toLaboratory = () => Elements.el("a", {}, "Al laboratorio");
  const lead = (link, bytes) => (link.href = `laboratorio.html#imagen=${encoded(bytes)}`);
  let waiting = 0;

  // Draws a part from its state, as the address has it if it names this part. `fields` says by its word there the name
  // of each number or list of numbers, the least and the most that it may be, and its step. What is in `controls` shows
  // the number of its name. The function changes the state, and says what `draw` returns, if anything, to who does not
  // see it.
  /** @type {Keep} */
  const keep = (part, state, fields, draw, controls = {}) => {
    const listed = (name) => [state[name]].flat();

    function show() {
      const said = draw();
      for (const [name, control] of Object.entries(controls)) control.show(state[name]);
      return said;
    }

    function write() {
      const text = (name) => listed(name).map((value) => Number(value.toFixed(4)));
      const said = Object.entries(fields).map(([word, [name]]) => `&${word}=${text(name)}`);
      history.replaceState(null, "", `#parte=${part}${said.join("")}`);
    }

    function recall() {
      const said = new URLSearchParams(location.hash.slice(1));
      if (said.get("parte") !== part) return;
      for (const [word, [name, least, most, step = 1]] of Object.entries(fields)) {
        const found = (said.get(word) ?? "").split(",").map((text) => Math.round(parseFloat(text) / step) / (1 / step));
        if (found.length !== listed(name).length || !found.every((value) => value >= least && value <= most)) continue;
        Object.assign(state, { [name]: Array.isArray(state[name]) ? found : found[0] });
      }
      show();
    }

    // One number stays within its limits.
    function set(changes) {
      Object.assign(state, changes);
      for (const [name, least, most] of Object.values(fields))
        if (!Array.isArray(state[name])) Object.assign(state, { [name]: Math.max(least, Math.min(most, state[name])) });
      const said = show();
      if (said) say(said);
      clearTimeout(waiting);
      waiting = setTimeout(write, 300);
    }

    addEventListener("hashchange", recall);
    show();
    recall();
    return set;
  };

  return { keep, encoded, toLaboratory, lead };
})();
