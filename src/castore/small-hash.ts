/**
 * BLAKE3 of small content.
 *
 * The native build makes an object for each digest, which takes longer than hashing a few kilobytes does; the
 * WebAssembly build that comes with the package makes none:
 *
 *   size      WebAssembly   native
 *   100       1 µs          17 µs
 *   4 KiB     6 µs          19 µs
 *   16 KiB    18 µs         33 µs
 *   64 KiB    87 µs         41 µs
 *
 * Loading it takes 12 ms, so it is left until so many have been hashed that more will follow.
 */
import { require } from "../base/require.js";

/** From here on the native build is quicker. */
const SMALL_BYTES_MAX = 16 * 1024;
const LOAD_AFTER = 500;

let hash: ((content: Uint8Array) => Uint8Array) | undefined;
let count = 0;

/** The digest of `content`; `undefined` when the native build is the one to ask. */
export function smallHash(content: Uint8Array): Uint8Array | undefined {
  if (content.length > SMALL_BYTES_MAX) return undefined;
  if (hash !== undefined) return hash(content);
  count++;
  // Where there is no WebAssembly there is the native build.
  if (count === LOAD_AFTER) loadSmallHash().catch(() => {});
  return undefined;
}

/** Loads it now, for a thread that is going to block and will never see it loaded. */
export async function loadSmallHash(): Promise<void> {
  const wasm = require("blake3-wasm") as typeof import("blake3-wasm");
  await wasm.load();
  hash = wasm.hash;
}
