import { B3Digest } from "../../src/castore/digest.js";
import type { Directory, DirectoryEntry } from "../../src/castore/directory.js";
import { directoryFrom } from "../../src/castore/directory-codec.js";
import { bytes } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";

function folder(name: string, child: Directory, size: bigint): DirectoryEntry {
  return { name: bytes(name), node: { type: "directory", digest: child.digest, size } };
}

const keepFile: DirectoryEntry = {
  name: bytes(".keep"),
  node: { type: "file", digest: EMPTY_DIGEST, size: 0n, executable: false },
};
const link: DirectoryEntry = {
  name: bytes("aa"),
  node: { type: "symlink", target: bytes("/nix/store/somewhereelse") },
};

const empty = directoryFrom([]);
const withKeep = directoryFrom([keepFile]);
const b = directoryFrom([folder("a", empty, 0n)]);

export const DIRECTORY = {
  empty,
  withKeep,
  b,
  c: directoryFrom([folder("a", empty, 0n), folder("a'", empty, 0n)]),
  complicated: directoryFrom([folder("keep", withKeep, 1n), keepFile, link]),
  complicatedDoubled: directoryFrom([folder("keep", withKeep, 2n), keepFile, link]),
  d: directoryFrom([folder("a", empty, 0n), folder("b", b, 1n)]),
  dDoubled: directoryFrom([folder("a", empty, 0n), folder("b", b, 2n)]),
  wrongSize: directoryFrom([folder("a", empty, 42n)]),
};

/** Fixture, its size, its digest in hex. */
export const DIRECTORY_DIGESTS: readonly [keyof typeof DIRECTORY, bigint, string][] = [
  ["empty", 0n, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  ["withKeep", 1n, "8b5b5d642b646bb8ed504b0862c39413e87e57491497de7bd075953f7b83810e"],
  ["b", 1n, "8701f4722d8dae7f2c40fa003331b8437a3825f9e1bfd3a77998c64cc226b9cc"],
  ["c", 2n, "78eb200ae0cc95d4ea954655fbcf91e285013a261310e161927f2401d2bca803"],
  ["complicated", 4n, "3f951a15afd586fb3121ef4d13d582e811ce0e5a7f21c0497fd87490e9e2355a"],
  ["complicatedDoubled", 5n, "424a7f6ce08d805d15b428062faae96299a1675d708c3a39261afe38cdd04feb"],
  ["d", 3n, "99922a5c1801805287a647af73bca0ed7352a5f7f373e54992795bcc4a235213"],
  ["dDoubled", 4n, "76cd8b55b37333961c1778ba997e57df92e219926ae5a66c414b810331a77603"],
];

/** `[title, content, BLAKE3 in hex]` */
export const BLOB_DIGESTS: readonly [string, Uint8Array, string][] = [
  ["nothing", bytes(""), EMPTY_DIGEST.hex],
  [
    "Hello World!",
    bytes("Hello World!"),
    "5ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c",
  ],
  [
    "00 01",
    Buffer.from([0, 1]),
    "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63",
  ],
  [
    "0..254, 4096 times",
    Buffer.alloc(255 * 4096).map((_byte, index) => index % 255),
    "a82c5154a7a0c262c6fdb929a317585646f8fbcf80326d0a7b8747edaf2d99d2",
  ],
  [
    "one byte",
    Buffer.from([1]),
    "48fc721fbbc172e0925fa27af1671de225ba927134802998b10a1568a188652b",
  ],
];

export const EMPTY_B3 = B3Digest.parse("blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=");
