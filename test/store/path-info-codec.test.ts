import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { decodePathInfo, encodePathInfo } from "../../src/store/path-info-codec.js";
import { type Fields, serializePathInfo } from "../protos/messages.js";
import {
  BAD_PATH_INFOS,
  message,
  NAME,
  narinfo,
  OTHER_HASH,
  zeros,
} from "./support/bad-path-infos.js";
import { DUMMY_PATH_INFO, pathInfoArbitrary } from "./support/path-info.js";

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

  it.each(BAD_PATH_INFOS)("refuses %s and says where", (_title, changes, why) => {
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
