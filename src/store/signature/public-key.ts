import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { decodeBase64, quoteBytes, toBase64 } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { Signature } from "../path-info.js";
import { validateKeyName } from "./key-name.js";

/** What comes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** The public half of a key that signs path infos (Ed25519), as in Nix's `trusted-public-keys`. */
export class PublicKey {
  static readonly LENGTH_BYTES = 32;
  readonly name: string;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  readonly #key: KeyObject;

  private constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
    const key = Buffer.concat([SPKI_PREFIX, bytes]);
    this.#key = createPublicKey({ key, format: "der", type: "spki" });
  }

  /**
   * Takes over `bytes`, without a copy.
   *
   * @throws {StoreError} `invalid-argument` unless there are 32 and `name` may be a key's.
   */
  static from(name: string, bytes: Uint8Array): PublicKey {
    validateKeyName(name);
    if (bytes.length === PublicKey.LENGTH_BYTES) return new PublicKey(name, bytes);
    throw new StoreError(
      "invalid-argument",
      `Invalid public key ${quoteBytes(Buffer.from(name))}: ${bytes.length} bytes, expected ${PublicKey.LENGTH_BYTES}`,
    );
  }

  /**
   * Reads `name:base64`.
   *
   * @throws {StoreError} `invalid-argument`. It does not quote the key: it may be a secret one by mistake.
   */
  static parse(text: string): PublicKey {
    const [, name, base64 = ""] = /^([^:]*):(.*)$/s.exec(text) ?? [];
    const bytes = decodeBase64(base64);
    if (name !== undefined && bytes !== undefined) return PublicKey.from(name, bytes);
    throw new StoreError("invalid-argument", "Invalid public key: expected NAME:BASE64");
  }

  /** `name:base64` */
  toString(): string {
    return `${this.name}:${toBase64(this.bytes)}`;
  }

  /** Whether `signature` is one of this key, by name too, over `message`. */
  verify(message: Uint8Array, signature: Signature): boolean {
    return signature.name === this.name && verify(null, message, this.#key, signature.data);
  }
}
