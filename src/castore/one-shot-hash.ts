/**
 * BLAKE3 of content that is in memory as a whole.
 *
 * The package makes two objects for each digest, which takes longer than hashing a few kilobytes does. The C
 * functions in its native half make none:
 *
 *   size      package   C functions
 *   100       17 µs     0.8 µs
 *   4 KiB     20 µs     2.2 µs
 *   64 KiB    26 µs     8.3 µs
 *
 * To get at them takes up to 10 ms, so that is left until so many have been hashed that more will follow. Where functions
 * of other libraries are in use already, it takes one.
 */
import { createRequire } from "node:module";
import { equalBytes } from "../base/bytes.js";
import { require } from "../base/require.js";
import { hasSystemLibraries, loadSystemLibrary } from "../base/system-library.js";

const LOAD_AFTER = 500;
const LOAD_BESIDE_OTHERS_AFTER = 20;
/** More than a `blake3_hasher` has on any platform: 1912. */
const HASHER_BYTES = 4096;
const DIGEST_BYTES = 32;
const PROBE = new Uint8Array(5000);

interface Blake3 {
  readonly blake3_hasher_init: (hasher: Uint8Array) => void;
  readonly blake3_hasher_update: (hasher: Uint8Array, content: Uint8Array, length: number) => void;
  readonly blake3_hasher_finalize: (hasher: Uint8Array, digest: Uint8Array, length: number) => void;
}

const PROTOTYPES = {
  blake3_hasher_init: "void blake3_hasher_init(void *hasher)",
  blake3_hasher_update:
    "void blake3_hasher_update(void *hasher, const void *content, size_t length)",
  blake3_hasher_finalize: "void blake3_hasher_finalize(void *hasher, void *digest, size_t length)",
} as const;

type Hash = (content: Uint8Array) => Uint8Array;

let hash: Hash | undefined;
let count = 0;
let hasTried = false;

/**
 * The digest of `content`, valid until the next call; `undefined` when the package is the one to ask, whose `hash` it must be the same as.
 * `packageHash` is for one look at that.
 */
export function oneShotHash(content: Uint8Array, packageHash: Hash): Uint8Array | undefined {
  if (hash !== undefined) return hash(content);
  if (!hasTried && ++count >= (hasSystemLibraries() ? LOAD_BESIDE_OTHERS_AFTER : LOAD_AFTER)) {
    hasTried = true;
    hash = loadHash(packageHash);
  }
  return undefined;
}

function loadHash(packageHash: Hash): Hash | undefined {
  const addon = nativeHalf();
  if (addon === undefined) return undefined;
  const library = loadSystemLibrary<Blake3>(addon, PROTOTYPES);
  if (library === undefined) return undefined;
  const { blake3_hasher_init, blake3_hasher_update, blake3_hasher_finalize } = library.functions;
  const hasher = Buffer.alloc(HASHER_BYTES);
  const digest = Buffer.alloc(DIGEST_BYTES);
  const made: Hash = (content) => {
    blake3_hasher_init(hasher);
    blake3_hasher_update(hasher, content, content.length);
    blake3_hasher_finalize(hasher, digest, DIGEST_BYTES);
    return digest;
  };
  return equalBytes(made(PROBE), packageHash(PROBE)) ? made : undefined;
}

/** The file of the package's addon, where this process has loaded that; there is none where nothing could be compiled. */
function nativeHalf(): string | undefined {
  try {
    const ofPackage = createRequire(require.resolve("blake3"));
    const file = ofPackage.resolve("@c4312/blake3-native/build/Release/blake3.node");
    return file in require.cache ? file : undefined;
  } catch {
    return undefined;
  }
}
