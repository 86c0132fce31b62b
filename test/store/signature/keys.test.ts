import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { fingerprint } from "../../../src/store/narinfo/fingerprint.js";
import type { Signature } from "../../../src/store/path-info.js";
import { PublicKey } from "../../../src/store/signature/public-key.js";
import { SecretKey } from "../../../src/store/signature/secret-key.js";
import { formatSignature, readSignature } from "../../../src/store/signature/signature-text.js";
import {
  CURL_FINGERPRINT,
  CURL_SIGNATURES,
  PUBLIC_KEYS,
  TEST_PUBLIC_KEY,
  TEST_SECRET_KEY,
} from "../support/narinfos.js";
import { DUMMY_PATH_INFO } from "../support/path-info.js";

const message = Buffer.from(CURL_FINGERPRINT);
const [signature, other] = CURL_SIGNATURES.map(readSignature) as [Signature, Signature];
const [key, otherKey] = PUBLIC_KEYS.map(PublicKey.parse) as [PublicKey, PublicKey];
const refusal = (text: string) =>
  expect.objectContaining({
    code: "invalid-argument",
    message: expect.stringContaining(text),
  });

describe("PublicKey", () => {
  it("verifies what Nix signed, and each key its own signature only", () => {
    expect([signature, other].map((each) => key.verify(message, each))).toEqual([true, false]);
    expect([signature, other].map((each) => otherKey.verify(message, each))).toEqual([false, true]);
  });

  it("asks for its own name", () => {
    const renamed = PublicKey.from("cache.nixos.org-2", key.bytes);
    expect(renamed.verify(message, signature)).toBe(false);
  });

  it("refuses a signature with a single bit changed, and one over anything else", () => {
    const { name, data } = signature;
    for (let bit = 0; bit < data.length * 8; bit++) {
      const changed = Buffer.from(data);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(key.verify(message, { name, data: changed })).toBe(false);
    }
    expect(key.verify(message.subarray(0, 5), { name, data })).toBe(false);
    const zeros = Buffer.concat([data.subarray(0, 20), Buffer.alloc(24), data.subarray(44)]);
    expect(key.verify(message, { name, data: zeros })).toBe(false);
  });

  it.each([...PUBLIC_KEYS, `a_b+c/d:${"A".repeat(43)}=`])("reads and writes %s", (text) => {
    expect(PublicKey.parse(text).toString()).toBe(text);
  });

  it.each([
    ["no name", "6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", "expected NAME:BASE64"],
    ["an empty name", ":6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=", 'Invalid key name ""'],
    ["a blank in its name", `a b:${"A".repeat(43)}=`, 'Invalid key name "a b"'],
    ["a line end in its name", `a\nb:${"A".repeat(43)}=`, "Invalid key name"],
    ["a short key", "test1:tLAEn+EeaBUJYqEpTd2yeerr7Ic6+0vWe+aXL/vYUg==", "31 bytes, expected 32"],
    ["a secret key", TEST_SECRET_KEY, "64 bytes, expected 32"],
    ["no base64", `a:${"!".repeat(44)}`, "expected NAME:BASE64"],
    ["a line end after it", `${TEST_PUBLIC_KEY}\n`, "expected NAME:BASE64"],
    ["nothing", "", "expected NAME:BASE64"],
  ])("refuses %s", (_title, text, reason) => {
    expect(() => PublicKey.parse(text)).toThrow(refusal(reason));
  });
});

describe("SecretKey", () => {
  const secretKey = SecretKey.parse(TEST_SECRET_KEY);

  it("signs as any other implementation would", () => {
    expect(formatSignature(secretKey.sign(message))).toBe(
      "do.not.use:QQWJqsSgGYJiKl8ldFBwS8Q+6c1hK+FXBcy/Lqjx3wid1IdKtNTdWrmImTmuwIkCg1k+E+E4HmQQVGcslRO6BQ==",
    );
    expect(formatSignature(secretKey.sign(fingerprint(DUMMY_PATH_INFO)))).toBe(
      "do.not.use:xl4q2L5wQMou13ZQ9/YPqK1z/DSIYycTtndVNfp2ybT8Cpg+yPv1sCQN8VVWppnq5BXTuMhjaq7K/ebYN4LYBg==",
    );
  });

  it("knows its public key", () => {
    expect(String(secretKey.publicKey)).toBe(TEST_PUBLIC_KEY);
    expect(secretKey.reveal()).toBe(TEST_SECRET_KEY);
    expect(SecretKey.parse(`\n${TEST_SECRET_KEY} \n`).reveal()).toBe(TEST_SECRET_KEY);
  });

  it("can be made anew, each time another", () => {
    const made = SecretKey.generate("key_1+");
    expect(SecretKey.parse(made.reveal()).reveal()).toBe(made.reveal());
    expect(made.publicKey.verify(message, made.sign(message))).toBe(true);
    expect(SecretKey.generate("key_1+").reveal()).not.toBe(made.reveal());
    expect(() => SecretKey.generate("a:b")).toThrow(refusal("Invalid key name"));
  });

  it("does not show itself to those who print it", () => {
    const secret = TEST_SECRET_KEY.slice(11, 40);
    for (const text of [
      String(secretKey),
      JSON.stringify(secretKey),
      inspect(secretKey, { depth: 9 }),
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  const [name, base64 = ""] = TEST_SECRET_KEY.split(":");
  const halves = Buffer.from(base64, "base64");
  const mixed = Buffer.concat([halves.subarray(0, 32), Buffer.alloc(32)]).toString("base64");
  it.each([
    ["no name", base64, "expected NAME:BASE64"],
    ["an empty name", `:${base64}`, 'Invalid key name ""'],
    ["half a key", `${name}:${halves.subarray(0, 40).toString("base64")}`, "40 bytes, expected 64"],
    ["a public key", TEST_PUBLIC_KEY, "32 bytes, expected 64; this is a public key"],
    ["halves of different keys", `${name}:${mixed}`, "its public half is not that"],
    ["no base64", `${name}:!${base64.slice(1)}`, "expected NAME:BASE64"],
    ["two keys", `${TEST_SECRET_KEY}\n${TEST_SECRET_KEY}`, "expected NAME:BASE64"],
  ])("refuses %s, without a word of the secret", (_title, text, reason) => {
    expect(() => SecretKey.parse(text)).toThrow(refusal(reason));
    expect(() => SecretKey.parse(text)).not.toThrow(base64.slice(1, 20));
  });
});
