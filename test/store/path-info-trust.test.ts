import { describe, expect, it } from "vitest";
import { contentAddressedPath } from "../../src/store/content-address.js";
import { fingerprint } from "../../src/store/narinfo/fingerprint.js";
import { parseNarinfo } from "../../src/store/narinfo/parse.js";
import { trustIn } from "../../src/store/path-info-trust.js";
import { PublicKey } from "../../src/store/signature/public-key.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { CURL_NARINFO, PUBLIC_KEYS } from "./support/narinfos.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "./support/path-info.js";

const curl = parseNarinfo(Buffer.from(CURL_NARINFO));
const keys = PUBLIC_KEYS.map(PublicKey.parse);
const digest = Buffer.alloc(32, 3);
const ca = { method: "nar", algorithm: "sha256", digest } as const;
const addressed = {
  ...DUMMY_PATH_INFO,
  storePath: contentAddressedPath(ca, "x", [DUMMY_PATH]),
  narSha256: digest,
  ca,
};

describe("trustIn()", () => {
  it("finds one good signature among others", () => {
    expect(trustIn(curl, keys)).toEqual({ by: "signature", key: keys[0] });
    expect(trustIn(curl, keys.slice(1))).toEqual({ by: "signature", key: keys[1] });
    const forged = { name: "cache.nixos.org-1", data: Buffer.alloc(64) };
    const unknown = SecretKey.generate("unknown").sign(fingerprint(curl));
    const signatures = [forged, unknown, ...curl.signatures];
    expect(trustIn({ ...curl, signatures }, keys)).toEqual({ by: "signature", key: keys[0] });
  });

  it("tells two keys of one name apart", () => {
    const impostor = SecretKey.generate("cache.nixos.org-1").publicKey;
    expect(trustIn(curl, [impostor])).toBeUndefined();
    expect(trustIn(curl, [impostor, ...keys])).toEqual({ by: "signature", key: keys[0] });
  });

  it("does not trust without keys, without signatures, or by a key of another name", () => {
    expect(trustIn(curl, [])).toBeUndefined();
    expect(trustIn({ ...curl, signatures: [] }, keys)).toBeUndefined();
    const [{ bytes }] = keys as [PublicKey];
    expect(trustIn(curl, [PublicKey.from("cache.nixos.org-2", bytes)])).toBeUndefined();
  });

  it.each([
    ["store path", { storePath: DUMMY_PATH }],
    ["NAR hash", { narSha256: Buffer.alloc(32) }],
    ["NAR size", { narSize: curl.narSize + 1n }],
    ["references", { references: curl.references.slice(1) }],
    ["a reference added", { references: [...curl.references, DUMMY_PATH] }],
  ])("does not trust what was signed with another %s", (_title, change) => {
    expect(trustIn({ ...curl, ...change }, keys)).toBeUndefined();
  });

  it("trusts a content address that makes the store path, without any key", () => {
    expect(trustIn(addressed, [])).toEqual({ by: "content-address" });
  });

  it.each([
    ["another store path", { storePath: DUMMY_PATH }],
    ["another NAR hash", { narSha256: Buffer.alloc(32) }],
    ["references it was not made with", { references: [] }],
    ["no content address", { ca: undefined }],
  ])("does not trust a content address with %s", (_title, change) => {
    const { ca: _, ...rest } = { ...addressed, ...change };
    expect(trustIn({ ...rest, ...("ca" in change ? {} : { ca }) }, keys)).toBeUndefined();
  });

  it("trusts a signature though the content address contradicts it", () => {
    const key = SecretKey.generate("k");
    const signed = { ...DUMMY_PATH_INFO, signatures: [key.sign(fingerprint(DUMMY_PATH_INFO))] };
    expect(trustIn(signed, [])).toBeUndefined();
    expect(trustIn(signed, [key.publicKey])?.by).toBe("signature");
  });
});
