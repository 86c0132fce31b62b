/**
 * BLAKE3 digests: the names of blobs and directories.
 */
import { asBuffer, copyBytes, equalBytes, toHex } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import { require } from "../base/require.js";
import { oneShotHash } from "./one-shot-hash.js";

const { createHash, hash, load } = require("blake3") as typeof import("blake3");

/**
 * Programs wait for this before they hash anything. Where nothing could be compiled the package falls back to
 * WebAssembly, which has to be loaded.
 */
export const canHash: Promise<void> = load();

/** Of a longer piece the WebAssembly build of 3.0.0 gives a wrong digest. */
const PIECE_BYTES_MAX = 1024 * 1024;

/** A 32-byte BLAKE3 digest. Immutable; its bytes are not to be written to. */
export class B3Digest {
  static readonly LENGTH_BYTES = 32;
  readonly bytes: Uint8Array;
  #hex: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Takes over `bytes`, without a copy.
   *
   * @throws {StoreError} `invalid-argument` unless there are 32.
   */
  static from(bytes: Uint8Array): B3Digest {
    if (bytes.length !== B3Digest.LENGTH_BYTES) {
      throw new StoreError(
        "invalid-argument",
        `Invalid digest length: ${bytes.length} bytes, expected ${B3Digest.LENGTH_BYTES}`,
      );
    }
    return new B3Digest(bytes);
  }

  /** The digest of `content`. */
  static of(content: Uint8Array): B3Digest {
    const once = oneShotHash(content, hash);
    return new B3Digest(once === undefined ? hash(content) : copyBytes(once));
  }

  /** Whether this is the digest of `content`. */
  isOf(content: Uint8Array): boolean {
    return equalBytes(oneShotHash(content, hash) ?? hash(content), this.bytes);
  }

  /**
   * Reads the text forms in use: `blake3-<base64>`, and `b3:<base64>` of older tools.
   *
   * @throws {StoreError} `invalid-argument` for anything else.
   */
  static parse(text: string): B3Digest {
    const match = /^(?:blake3-|b3:)([A-Za-z0-9+/]{43}=)$/.exec(text);
    if (match === null) {
      throw new StoreError(
        "invalid-argument",
        `Invalid digest ${JSON.stringify(text)}: expected blake3-<44 characters of base64>`,
      );
    }
    return new B3Digest(Buffer.from(match[1] as string, "base64"));
  }

  /** 64 lower-case hex characters: the file name of a blob, and a key for maps. */
  get hex(): string {
    this.#hex ??= toHex(this.bytes);
    return this.#hex;
  }

  equals(other: B3Digest): boolean {
    return equalBytes(this.bytes, other.bytes);
  }

  toString(): string {
    return `blake3-${asBuffer(this.bytes).toString("base64")}`;
  }
}

/** Hashes content that comes in pieces. */
export class B3Hasher {
  readonly #hash = createHash();

  update(content: Uint8Array): void {
    for (let at = 0; at < content.length; at += PIECE_BYTES_MAX) {
      this.#hash.update(content.subarray(at, at + PIECE_BYTES_MAX));
    }
  }

  /** The digest of everything so far; the hasher is used up. */
  finish(): B3Digest {
    return B3Digest.from(this.#hash.digest());
  }
}
