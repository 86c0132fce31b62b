import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { decodePathInfo, encodePathInfo } from "../../src/store/path-info-codec.js";
import { type Fields, serializePathInfo } from "../protos/messages.js";
import { DUMMY_PATH_INFO, pathInfoArbitrary } from "./support/path-info.js";

const NAME = "00000000000000000000000000000000-dummy";
const OTHER = "00bgd045z0d4icpbc2yyz4gx48ak44la-other";
const OTHER_HASH = Buffer.from("8a12321522fd91efbd60ebb2481af88580f61600", "hex");
const zeros = (length: number): Buffer => Buffer.alloc(length);

const directory = { name: Buffer.from(NAME), digest: zeros(32), size: "0" };
const narinfo = { nar_size: "0", nar_sha256: zeros(32), reference_names: [NAME] };
const message = { node: { directory }, references: [zeros(20)], narinfo };

function decode(changes: Fields): PathInfo {
  return decodePathInfo(serializePathInfo({ ...message, ...changes }));
}

describe("decodePathInfo()", () => {
  it("reads what another implementation wrote", () => {
    const ca = { type: "NAR_SHA256", digest: zeros(32) };
    expect(decode({ narinfo: { ...narinfo, ca } })).toEqual({
      ...DUMMY_PATH_INFO,
      storePath: expect.objectContaining({ basename: NAME }),
      node: expect.objectContaining({ type: "directory", size: 0n }),
      narSha256: zeros(32),
      references: [expect.objectContaining({ basename: NAME })],
      ca: { method: "nar", algorithm: "sha256", digest: zeros(32) },
    });
  });

  it("leaves out what is not known", () => {
    const pathInfo = decode({ references: [], narinfo: { nar_sha256: zeros(32) } });
    expect(pathInfo).not.toHaveProperty("deriver");
    expect(pathInfo).not.toHaveProperty("ca");
    expect(pathInfo.references).toEqual([]);
  });

  it("reads a deriver, also beside no references", () => {
    const deriver = { name: "hello-2.12.1", digest: OTHER_HASH };
    const { deriver: read } = decode({
      references: [],
      narinfo: { ...narinfo, reference_names: [], deriver },
    });
    expect(read?.basename).toBe("00bgd045z0d4icpbc2yyz4gx48ak44la-hello-2.12.1");
  });

  it.each<[string, Fields, string]>([
    ["no narinfo", { narinfo: undefined }, "no narinfo"],
    ["no node", { node: undefined }, "no root node"],
    ["an empty node", { node: {} }, "no root node"],
    [
      "a reference that is too short",
      { references: [zeros(20), zeros(2)] },
      "reference 1: Invalid store path hash: 2 bytes, expected 20",
    ],
    [
      "a reference without a name",
      { narinfo: { ...narinfo, reference_names: [] } },
      "1 references, but 0 reference names",
    ],
    [
      "an absolute reference name",
      { narinfo: { ...narinfo, reference_names: [`/nix/store/${NAME}`] } },
      `reference name 0: Invalid store path "/nix/store/${NAME}"`,
    ],
    [
      "a reference name with another hash",
      {
        references: [OTHER_HASH, zeros(20)],
        narinfo: { ...narinfo, reference_names: [OTHER, OTHER] },
      },
      `reference name 1, ${OTHER}, has hash 8a12321522fd91efbd60ebb2481af88580f61600, reference 1 is 0000000000000000000000000000000000000000`,
    ],
    [
      "a directory without digest",
      { node: { directory: { name: Buffer.from(NAME) } } },
      "0 bytes, expected 32",
    ],
    [
      "a file with a short digest",
      { node: { file: { ...directory, digest: zeros(31) } } },
      "31 bytes, expected 32",
    ],
    [
      "a symlink to nothing",
      { node: { symlink: { name: Buffer.from(NAME) } } },
      'Invalid symlink target "": it is empty',
    ],
    [
      "a symlink with NUL",
      { node: { symlink: { name: Buffer.from(NAME), target: Buffer.from("/a\0b") } } },
      "NUL",
    ],
    [
      "a node that is not named like a store path",
      { node: { directory: { ...directory, name: Buffer.from("invalid") } } },
      'Invalid store path "invalid"',
    ],
    [
      "a node whose name is not text",
      { node: { directory: { ...directory, name: Buffer.from([0xff]) } } },
      '"\\xff" is not text',
    ],
    ["a short NAR hash", { narinfo: { ...narinfo, nar_sha256: zeros(2) } }, "NAR SHA-256 has 2"],
    [
      "an empty deriver",
      { narinfo: { ...narinfo, deriver: {} } },
      "deriver: Invalid store path hash: 0 bytes",
    ],
    [
      "a deriver with a bad name, beside no references",
      {
        references: [],
        narinfo: {
          ...narinfo,
          reference_names: [],
          deriver: { name: "a/b", digest: zeros(20) },
        },
      },
      'deriver: Invalid store path name "a/b"',
    ],
    [
      "a short signature",
      { narinfo: { ...narinfo, signatures: [{ name: "key-1", data: zeros(32) }] } },
      'signature 0, by "key-1" has 32 bytes, expected 64',
    ],
    [
      "a content address with too short a digest",
      { narinfo: { ...narinfo, ca: { type: "FLAT_SHA512", digest: zeros(32) } } },
      "fixed:sha512 digest: 32 bytes, expected 64",
    ],
    [
      "a content address without digest",
      { narinfo: { ...narinfo, ca: {} } },
      "fixed:r:sha256 digest: 0 bytes, expected 32",
    ],
    [
      "an unknown content address",
      { narinfo: { ...narinfo, ca: { type: 9, digest: zeros(32) } } },
      "content address type 9 is not known",
    ],
  ])("refuses %s and says where", (_title, changes, why) => {
    expect(() => decode(changes)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(why),
      }),
    );
  });

  it("refuses a reference name that is not UTF-8", () => {
    const bytes = Buffer.from(serializePathInfo(message));
    bytes[bytes.lastIndexOf("dummy")] = 0xff;
    expect(() => decodePathInfo(bytes)).toThrow("is not UTF-8");
  });

  it("drops fields it does not know", () => {
    // Field 15, varint 1: at the end of the message.
    const bytes = Buffer.concat([serializePathInfo(message), Buffer.from([0x78, 0x01])]);
    expect(encodePathInfo(decodePathInfo(bytes))).toEqual(encodePathInfo(decode({})));
  });

  it("gives back what encodePathInfo() wrote", () => {
    fc.assert(
      fc.property(pathInfoArbitrary, (pathInfo) => {
        const bytes = encodePathInfo(pathInfo);
        const read = decodePathInfo(bytes);
        expect(encodePathInfo(read)).toEqual(bytes);
        expect(comparable(read)).toEqual(comparable(pathInfo));
      }),
    );
  });

  it("makes of damaged bytes a valid path info or a StoreError", () => {
    fc.assert(
      fc.property(pathInfoArbitrary, fc.nat(), fc.nat(255), fc.nat(), (pathInfo, at, byte, cut) => {
        const bytes = encodePathInfo(pathInfo);
        bytes[at % bytes.length] = byte;
        for (const damaged of [bytes, bytes.subarray(0, cut % bytes.length)]) {
          const read = decodeIfValid(damaged);
          if (read !== undefined) decodePathInfo(encodePathInfo(read));
        }
      }),
    );
  });
});

function decodeIfValid(bytes: Uint8Array): PathInfo | undefined {
  try {
    return decodePathInfo(bytes);
  } catch (error) {
    if (!isStoreError(error, "invalid-argument")) throw error;
    return undefined;
  }
}

/** Every part in a form that is equal when its meaning is. */
function comparable(pathInfo: PathInfo): unknown {
  const { storePath, node, references, narSha256, signatures, deriver, ca } = pathInfo;
  return {
    storePath: String(storePath),
    node: node.type === "symlink" ? Buffer.from(node.target) : { ...node, digest: node.digest.hex },
    references: references.map(String),
    narSize: pathInfo.narSize,
    narSha256: Buffer.from(narSha256),
    signatures: signatures.map(({ name, data }) => [name, Buffer.from(data)]),
    deriver: deriver === undefined ? undefined : String(deriver),
    ca: ca === undefined ? undefined : { ...ca, digest: Buffer.from(ca.digest) },
  };
}
