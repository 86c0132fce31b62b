import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { decodeBase64, equalBytes, quoteBytes, toBase64 } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { Signature } from "../path-info.js";
import { PublicKey } from "./public-key.js";

const SEED_BYTES = 32;
const SECRET_BYTES = SEED_BYTES + PublicKey.LENGTH_BYTES;

/** What comes before the 32 bytes of an Ed25519 seed in a PrivateKeyInfo (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * A key that signs path infos (Ed25519). The text form is Nix's: `name:base64`, the base64 of the 32-byte
 * seed and the 32-byte public key. Neither messages nor `toString` show it.
 */
export class SecretKey {
  readonly publicKey: PublicKey;
  readonly #seed: Uint8Array;
  readonly #key: KeyObject;

  private constructor(name: string, seed: Uint8Array) {
    this.#seed = seed;
    const key = Buffer.concat([PKCS8_PREFIX, seed]);
    this.#key = createPrivateKey({ key, format: "der", type: "pkcs8" });
    const spki = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.publicKey = PublicKey.from(name, spki.subarray(-PublicKey.LENGTH_BYTES));
  }

  /**
   * A new key.
   *
   * @throws {StoreError} `invalid-argument` when a key may not be called `name`.
   */
  static generate(name: string): SecretKey {
    return new SecretKey(name, randomBytes(SEED_BYTES));
  }

  /**
   * Reads the text form; blanks and line ends around it are no part of it.
   *
   * @throws {StoreError} `invalid-argument`, without a word of the secret.
   */
  static parse(text: string): SecretKey {
    const [, name, base64 = ""] = /^([^:]*):(.*)$/s.exec(text.trim()) ?? [];
    const bytes = decodeBase64(base64);
    if (name === undefined || bytes === undefined) {
      throw new StoreError("invalid-argument", "Invalid secret key: expected NAME:BASE64");
    }
    const quoted = quoteBytes(Buffer.from(name.slice(0, 64)));
    if (bytes.length !== SECRET_BYTES) {
      const hint = bytes.length === PublicKey.LENGTH_BYTES ? "; this is a public key" : "";
      throw new StoreError(
        "invalid-argument",
        `Invalid secret key ${quoted}: ${bytes.length} bytes, expected ${SECRET_BYTES}${hint}`,
      );
    }
    const key = new SecretKey(name, bytes.subarray(0, SEED_BYTES));
    // A key whose halves do not belong together would make signatures that nobody can verify.
    if (equalBytes(key.publicKey.bytes, bytes.subarray(SEED_BYTES))) return key;
    throw new StoreError(
      "invalid-argument",
      `Invalid secret key ${quoted}: its public half is not that of its secret half`,
    );
  }

  get name(): string {
    return this.publicKey.name;
  }

  sign(message: Uint8Array): Signature {
    return { name: this.name, data: sign(null, message, this.#key) };
  }

  /** The text form, which {@link parse} reads. */
  reveal(): string {
    return `${this.name}:${toBase64(Buffer.concat([this.#seed, this.publicKey.bytes]))}`;
  }
}
