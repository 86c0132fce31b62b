import fc from "fast-check";
import { B3Digest } from "../../../src/castore/digest.js";
import type { Node } from "../../../src/castore/node.js";
import type { ContentAddress } from "../../../src/store/content-address.js";
import type { PathInfo } from "../../../src/store/path-info.js";
import { StorePath } from "../../../src/store/store-path.js";

export const DUMMY_PATH = StorePath.parse("00000000000000000000000000000000-dummy");

/** A path info as minimal as they get; its content does not exist. */
export const DUMMY_PATH_INFO: PathInfo = {
  storePath: DUMMY_PATH,
  node: { type: "directory", digest: B3Digest.from(new Uint8Array(32)), size: 0n },
  references: [DUMMY_PATH],
  narSize: 0n,
  narSha256: new Uint8Array(32),
  signatures: [],
  ca: { method: "nar", algorithm: "sha256", digest: new Uint8Array(32) },
};

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes));
const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 127n, 128n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
);

export const storePathArbitrary: fc.Arbitrary<StorePath> = fc
  .tuple(
    bytesOf(20),
    fc.oneof(
      fc.string({
        unit: fc.constantFrom(..."abcXYZ0189+-_?=."),
        minLength: 1,
        maxLength: 40,
      }),
      fc.constant("n".repeat(211)),
    ),
  )
  .filter(([, name]) => !/^\.{1,2}(-|$)/.test(name))
  .map(([hash, name]) => StorePath.from(hash, name));

export const nodeArbitrary: fc.Arbitrary<Node> = fc.oneof(
  fc.record({
    type: fc.constant("directory" as const),
    digest: bytesOf(32).map((bytes) => B3Digest.from(bytes)),
    size: u64,
  }),
  fc.record({
    type: fc.constant("file" as const),
    digest: bytesOf(32).map((bytes) => B3Digest.from(bytes)),
    size: u64,
    executable: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("symlink" as const),
    target: fc
      .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 60 })
      .map((list) => Buffer.from(list)),
  }),
);

const caArbitrary: fc.Arbitrary<ContentAddress> = fc
  .constantFrom(
    ...(["nar", "flat"] as const).flatMap((method) => [
      { method, algorithm: "md5" as const, length: 16 },
      { method, algorithm: "sha1" as const, length: 20 },
      { method, algorithm: "sha256" as const, length: 32 },
      { method, algorithm: "sha512" as const, length: 64 },
    ]),
    { method: "text" as const, algorithm: "sha256" as const, length: 32 },
  )
  .chain(({ length, ...ca }) => bytesOf(length).map((digest) => ({ ...ca, digest })));

export const pathInfoArbitrary: fc.Arbitrary<PathInfo> = fc.record(
  {
    storePath: storePathArbitrary,
    node: nodeArbitrary,
    references: fc.array(storePathArbitrary, { maxLength: 4 }),
    narSize: u64,
    narSha256: bytesOf(32),
    signatures: fc.array(fc.record({ name: fc.string({ unit: "binary" }), data: bytesOf(64) }), {
      maxLength: 3,
    }),
    deriver: storePathArbitrary,
    ca: caArbitrary,
  },
  {
    requiredKeys: ["storePath", "node", "references", "narSize", "narSha256", "signatures"],
  },
);
