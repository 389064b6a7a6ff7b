// @ts-check
// needs: garments.js network.js pictures.js data/networks.js
// The laboratory's state as the fragment of an address, whose words readers have kept: they stay.
"use strict";

const Address = (() => {
  const { SIDE, SIZE } = Pictures;

  /** @param {Uint8Array} bytes */
  const encoded = (bytes) =>
    btoa(String.fromCharCode(...bytes))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  // Nothing if it is not base64.
  function decoded(text) {
    try {
      return Network.bytes((text ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    } catch {
      return new Uint8Array();
    }
  }

  /** @param {typeof lab.state} state */
  function write(state) {
    const parts = new URLSearchParams({ red: state.network });
    if (state.garment === null) parts.set(state.drawing ? "dibujo" : "imagen", encoded(state.bytes));
    else parts.set("prenda", String(Garments.positions[state.garment]));
    if (state.code) parts.set("codigo", encoded(new Uint8Array(Float32Array.from(state.code).buffer)));
    parts.set("hacia", String(Garments.positions[state.target]));
    parts.set("paso", String(state.step));
    parts.set("tapa", Object.values(state.patch).join(","));
    return `#${parts}`;
  }

  // Whatever is missing or makes no sense is undefined.
  function read(fragment) {
    const parts = new URLSearchParams(fragment.slice(1));
    const number = (name) => Number(parts.get(name) ?? NaN);
    const index = (name) => sensible(Garments.positions.indexOf(number(name)), (found) => found >= 0);
    const image = (name) => sensible(decoded(parts.get(name)), ({ length }) => length === SIZE);
    return {
      network: networkData.find(({ id }) => id === parts.get("red"))?.id,
      garment: index("prenda"),
      drawing: image("dibujo"),
      image: image("imagen"),
      code: code(decoded(parts.get("codigo"))),
      target: index("hacia"),
      step: sensible(number("paso"), (step) => step >= 0 && step <= 1),
      patch: patch(parts.get("tapa")),
    };
  }

  /**
   * @template Value
   * @param {Value} value
   * @param {(value: Value) => boolean} check
   */
  const sensible = (value, check) => (check(value) ? value : undefined);

  function code(bytes) {
    if (!bytes.length || bytes.length % 4) return undefined;
    return sensible(new Float32Array(bytes.buffer), (values) => values.every(Number.isFinite));
  }

  function patch(text) {
    const [row, column, size] = (text ?? "").split(",").map(Number);
    const inside = [row, column].every((at) => Number.isInteger(at) && at >= 0 && at < SIDE);
    return sensible({ row, column, size }, () => inside && [5, 7, 9, 11].includes(size));
  }

  return { write, read };
})();
