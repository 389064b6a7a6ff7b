// The live parts of a page: each is loaded when it comes near and takes the place of what stands in for it, which
// stays if anything fails. The extension `live` writes the places, with the scripts that each needs in their order.
const live = (() => {
  const FOLDER = /** @type {HTMLScriptElement} */ (document.currentScript).src.replace(/[^/]*$/, "");
  const mounts = {};
  /** @type {Record<string, Promise<void>>} */
  const loading = {};
  let version = 0; // of what the parts of a page share: none until there is something to draw

  /** @type {Place[]} */
  const places = [...document.querySelectorAll(".live")].map((box) => {
    const { part = "", scripts = "" } = /** @type {HTMLElement} */ (box).dataset;
    return { box, part, scripts: scripts.split(" "), near: false, drawn: 0, coming: null, draw: null };
  });

  // By an element rather than by fetch or as a module, which a page opened as a file may not use. Those that are
  // asked for together come together and run in this order.
  function script(file) {
    loading[file] ??= new Promise((resolve, reject) => {
      const element = Object.assign(document.createElement("script"), { src: FOLDER + file, async: false });
      element.onload = () => resolve();
      element.onerror = () => {
        delete loading[file]; // so that it can be tried again
        reject(new Error(`No se pudo cargar ${element.src}`));
      };
      document.head.append(element);
    });
    return loading[file];
  }

  // A part's one face: `mount` fills an element that is not on the page yet, and may return what draws the part from
  // what is shared with others.
  const part = (/** @type {string} */ name, /** @type {Mount} */ mount) => (mounts[name] = mount);

  function bring(/** @type {Place} */ place) {
    place.coming ??= Promise.all(place.scripts.map(script))
      .then(() => settle(place))
      .catch(console.error);
  }

  // A figure keeps its number and its caption: the part is where the picture was, and as large, unless the page says
  // what place it needs.
  function settle(/** @type {Place} */ place) {
    const picture = place.box.querySelector("img");
    const still = picture?.closest("a, .live > div > *, figure > *") ?? place.box.children[0];
    const element = Object.assign(document.createElement("div"), { className: "live-part" });
    if (picture && !place.box.hasAttribute("style")) element.style.cssText = picture.style.cssText;
    place.draw = mounts[place.part](element) ?? (() => {});
    still.replaceWith(element);
    if (place.near) draw(place);
  }

  function draw(/** @type {Place} */ place) {
    if (!place.draw || place.drawn === version) return;
    place.drawn = version;
    place.draw();
  }

  // What is shared has changed: a part that is out of sight waits until it is seen.
  function redraw() {
    version++;
    for (const place of places) if (place.near) draw(place);
  }

  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const place = /** @type {Place} */ (places.find(({ box }) => box === target));
        place.near = isIntersecting;
        if (!place.near) continue;
        bring(place);
        draw(place);
      }
    },
    { rootMargin: "200px" },
  );
  for (const { box } of places) observer.observe(box);

  // The address may say which part to open the page at.
  function goToAsked() {
    const asked = new URLSearchParams(location.hash.slice(1)).get("parte");
    places.find(({ part }) => part === asked)?.box.scrollIntoView();
  }
  addEventListener("hashchange", goToAsked);
  goToAsked();

  return { places, part, script, bring, draw, redraw };
})();
