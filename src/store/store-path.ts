/**
 * Store paths:
 *
 *   absolute := "/nix/store/" basename      basename := hash "-" name
 *   hash     := 32 characters of nixbase32, 20 bytes
 *   name     := 1 to 211 of A-Z a-z 0-9 + - _ ? = .
 *
 * A name may start with a dot, but not be `.` or `..`, nor have one of these before its first dash.
 */
import { equalBytes, quoteBytes } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import { decodeNixBase32, encodeNixBase32 } from "./nixbase32.js";

/** Where store paths live. Part of every store path's hash, so it cannot be configured. */
export const STORE_DIR = "/nix/store";

/** Characters of the hash part. */
export const HASH_TEXT_LENGTH = 32;
export const NAME_LENGTH_MAX = 211;
/** Characters of a message that quotes what it refuses: enough for anything that was meant well. */
const QUOTED_MAX = 512;

/** The name of one object in a Nix store. Immutable; its bytes are not to be written to. */
export class StorePath {
  static readonly HASH_BYTES = 20;
  /** 20 bytes: what finds the path in a store. */
  readonly hash: Uint8Array;
  readonly name: string;

  private constructor(hash: Uint8Array, name: string) {
    this.hash = hash;
    this.name = name;
  }

  /**
   * Takes over `hash`, without a copy.
   *
   * @throws {StoreError} `invalid-argument` unless it has 20 bytes and `name` is valid.
   */
  static from(hash: Uint8Array, name: string): StorePath {
    validateStorePathHash(hash);
    validateStorePathName(name);
    return new StorePath(hash, name);
  }

  /**
   * Reads `<hash>-<name>`.
   *
   * @throws {StoreError} `invalid-argument`, saying what is wrong with it.
   */
  static parse(basename: string): StorePath {
    try {
      if (basename.length <= HASH_TEXT_LENGTH) {
        const found = `${basename.length} characters`;
        throw malformed(`expected ${HASH_TEXT_LENGTH} of hash, a dash and a name, found ${found}`);
      }
      const hash = decodeNixBase32(basename.slice(0, HASH_TEXT_LENGTH), StorePath.HASH_BYTES);
      if (basename[HASH_TEXT_LENGTH] !== "-") throw malformed("no dash follows the hash");
      return StorePath.from(hash, basename.slice(HASH_TEXT_LENGTH + 1));
    } catch (error) {
      if (!isStoreError(error)) throw error;
      throw new StoreError(error.code, `Invalid store path ${quote(basename)}: ${error.message}`);
    }
  }

  /**
   * Reads `/nix/store/<hash>-<name>`.
   *
   * @throws {StoreError} `invalid-argument`, saying what is wrong with it.
   */
  static parseAbsolute(path: string): StorePath {
    if (!path.startsWith(`${STORE_DIR}/`)) {
      throw malformed(`Invalid store path ${quote(path)}: it is not in ${STORE_DIR}`);
    }
    return StorePath.parse(path.slice(STORE_DIR.length + 1));
  }

  /** `<hash>-<name>` */
  get basename(): string {
    return `${encodeNixBase32(this.hash)}-${this.name}`;
  }

  equals(other: StorePath): boolean {
    return equalBytes(this.hash, other.hash) && this.name === other.name;
  }

  /** The absolute form. */
  toString(): string {
    return `${STORE_DIR}/${this.basename}`;
  }
}

/** @throws {StoreError} `invalid-argument` unless `hash` has 20 bytes. */
export function validateStorePathHash(hash: Uint8Array): void {
  if (hash.length !== StorePath.HASH_BYTES) {
    throw malformed(
      `Invalid store path hash: ${hash.length} bytes, expected ${StorePath.HASH_BYTES}`,
    );
  }
}

/**
 * Checks the part of a store path after the hash and the dash.
 *
 * @throws {StoreError} `invalid-argument`, quoting the name.
 */
export function validateStorePathName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw malformed(`Invalid store path name ${quote(name)}: ${problem}`);
  }
}

function nameProblem(name: string): string | undefined {
  if (name.length === 0) return "it is empty";
  if (name.length > NAME_LENGTH_MAX) {
    return `it has ${name.length} characters, at most ${NAME_LENGTH_MAX} are allowed`;
  }
  const position = name.search(/[^A-Za-z0-9+\-_?=.]/);
  if (position >= 0) {
    const character = String.fromCodePoint(name.codePointAt(position) as number);
    return `character ${position}, ${quoteBytes(Buffer.from(character))}, is not allowed`;
  }
  if (/^\.{1,2}(-|$)/.test(name)) return "its part before the first dash is . or ..";
  return undefined;
}

function quote(text: string): string {
  return quoteBytes(Buffer.from(text.slice(0, QUOTED_MAX)));
}

function malformed(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
