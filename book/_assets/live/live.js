// @ts-check
// The live parts of a page: each is loaded when it comes near and takes the place of what stands in for it, which
// stays if anything fails. The extension `live` writes the places, with the scripts that each needs in their order.
"use strict";

const live = (() => {
  const FOLDER = /** @type {HTMLScriptElement} */ (document.currentScript).src.replace(/[^/]*$/, "");
  /** @type {Record<string, Mount>} */
  const mounts = {};
  /** @type {Record<string, Promise<void>>} */
  const loading = {};
  // What the parts of a page share. A script that has something to share adds it.
  const context = /** @type {Context} */ ({});
  let version = 0; // of what is shared: none until there is something to draw

  /** @type {Place[]} */
  const places = [...document.querySelectorAll(".live")].map((box) => {
    const { part = "", scripts = "" } = /** @type {HTMLElement} */ (box).dataset;
    return { box, part, scripts: scripts.split(" "), near: false, drawn: 0, coming: null, draw: null };
  });

  // By an element rather than by fetch or as a module, which a page opened as a file may not use. Those that are
  // asked for together come together and run in this order.
  /** @param {string} file */
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

  /**
   * A part's one face: `mount` fills an element that is not on the page yet, and may return what draws the part from
   * what is shared with others.
   * @param {string} name
   * @param {Mount} mount
   */
  function part(name, mount) {
    mounts[name] = mount;
  }

  /** @param {Place} place */
  function bring(place) {
    place.coming ??= Promise.all(place.scripts.map(script))
      .then(() => settle(place))
      .catch(console.error);
  }

  // A figure keeps its number and its caption: the part is where the picture was, and as large.
  /** @param {Place} place */
  function settle(place) {
    const still = place.box.querySelector("figure > :first-child") ?? place.box.children[0];
    const element = Object.assign(document.createElement("div"), { className: "live-part" });
    element.style.cssText = still.querySelector("img")?.style.cssText ?? "";
    place.draw = mounts[place.part](element, context) ?? (() => {});
    still.replaceWith(element);
    if (place.near) draw(place);
  }

  /** @param {Place} place */
  function draw(place) {
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

  return { places, context, part, script, bring, draw, redraw };
})();
