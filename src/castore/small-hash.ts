/**
 * BLAKE3 of small content.
 *
 * The native build makes an object for each digest, and a stream around it, which takes longer than hashing a
 * few kilobytes does: 17 µs for 4 KiB, where the WebAssembly build that comes with the package takes 7 µs.
 * Loading that takes 12 ms, so it is left until so many have been hashed that more will follow.
 */
import { createRequire } from "node:module";
import { require } from "../base/require.js";

type Hash = (content: Uint8Array) => Uint8Array;

/** From here on the native build is quicker. */
const SMALL_BYTES_MAX = 16 * 1024;
const LOAD_AFTER = 500;

let hash: Hash | undefined;
let count = 0;

/** The digest of `content`; `undefined` when the native build is the one to ask. */
export function smallHash(content: Uint8Array): Uint8Array | undefined {
  if (content.length > SMALL_BYTES_MAX) return undefined;
  if (hash !== undefined) return hash(content);
  count++;
  if (count === LOAD_AFTER) load();
  return undefined;
}

function load(): void {
  const requireAsBlake3 = createRequire(require.resolve("blake3"));
  const wasm = requireAsBlake3("blake3-wasm") as { load(): Promise<void>; hash: Hash };
  wasm.load().then(
    () => {
      hash = wasm.hash;
    },
    // Where there is no WebAssembly there is the native build.
    () => {},
  );
}
