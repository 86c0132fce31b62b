/**
 * Hashes as Nix writes and reads them:
 *
 *   hash      := algorithm ":" digest | algorithm "-" base64
 *   algorithm := "md5" | "sha1" | "sha256" | "sha512"
 *   digest    := hex | nixbase32 | base64, told apart by their length
 *
 * The form with a dash is that of Subresource Integrity (SRI); its base64 may lack its padding.
 */
import { decodeBase64, quoteBytes, toBase64, toHex } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import { decodeNixBase32, encodeNixBase32 } from "./nixbase32.js";

/** Length of the digests of each algorithm. */
export const DIGEST_BYTES = { md5: 16, sha1: 20, sha256: 32, sha512: 64 } as const;

export type HashAlgorithm = keyof typeof DIGEST_BYTES;

export const HASH_ALGORITHMS = Object.keys(DIGEST_BYTES) as readonly HashAlgorithm[];

export type HashEncoding = "base16" | "base32" | "base64" | "sri";

export interface NixHash {
  readonly algorithm: HashAlgorithm;
  readonly digest: Uint8Array;
}

/** Characters of a message that quotes what it refuses: nobody needs to see more. */
const QUOTED_MAX = 256;

/** The digest alone for every encoding but `sri`, which names the algorithm. */
export function formatDigest({ algorithm, digest }: NixHash, encoding: HashEncoding): string {
  switch (encoding) {
    case "base16":
      return toHex(digest);
    case "base32":
      return encodeNixBase32(digest);
    case "base64":
      return toBase64(digest);
    case "sri":
      return `${algorithm}-${toBase64(digest)}`;
  }
}

/** `algorithm:digest`, the digest in nixbase32, as in a narinfo. */
export function formatHash(hash: NixHash): string {
  return `${hash.algorithm}:${formatDigest(hash, "base32")}`;
}

/**
 * Reads a hash that names its algorithm.
 *
 * @throws {StoreError} `invalid-argument`, quoting the hash and saying what is wrong with it.
 */
export function parseHash(text: string): NixHash {
  const [, algorithm = "", separator, digest = ""] = /^([^:-]*)([:-])(.*)$/s.exec(text) ?? [];
  if (separator === undefined) throw invalid(text, "it names no algorithm");
  if (!isHashAlgorithm(algorithm)) {
    const known = HASH_ALGORITHMS.join(", ");
    throw invalid(text, `unknown algorithm ${quote(algorithm)}; known are ${known}`);
  }
  if (separator === ":") return { algorithm, digest: parseDigest(algorithm, digest) };
  const bytes = decodeBase64(digest);
  if (bytes === undefined) throw invalid(text, "what follows the dash is not base64");
  if (bytes.length !== DIGEST_BYTES[algorithm]) {
    throw invalid(text, `${bytes.length} bytes, expected ${DIGEST_BYTES[algorithm]}`);
  }
  return { algorithm, digest: bytes };
}

/**
 * Reads a digest in hex, nixbase32 or padded base64.
 *
 * @throws {StoreError} `invalid-argument`, quoting the digest and saying what is wrong with it.
 */
export function parseDigest(algorithm: HashAlgorithm, text: string): Buffer {
  const length = DIGEST_BYTES[algorithm];
  const hexLength = length * 2;
  const nixBase32Length = Math.ceil((length * 8) / 5);
  const base64Length = Math.ceil(length / 3) * 4;
  const of = `${algorithm} digest`;
  switch (text.length) {
    case hexLength:
      if (!/^[0-9a-f]*$/i.test(text)) throw invalid(text, "it is not hexadecimal", of);
      return Buffer.from(text, "hex");
    case nixBase32Length:
      try {
        return decodeNixBase32(text, length);
      } catch (error) {
        throw isStoreError(error) ? invalid(text, error.message, of) : error;
      }
    case base64Length: {
      const bytes = decodeBase64(text);
      if (bytes?.length !== length) throw invalid(text, "it is not base64", of);
      return bytes;
    }
    default:
      throw invalid(
        text,
        `${text.length} characters, expected ${hexLength} (hex), ${nixBase32Length} (nixbase32) ` +
          `or ${base64Length} (base64)`,
        of,
      );
  }
}

export function isHashAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(DIGEST_BYTES, text);
}

function invalid(text: string, why: string, what = "hash"): StoreError {
  return new StoreError("invalid-argument", `Invalid ${what} ${quote(text)}: ${why}`);
}

function quote(text: string): string {
  return quoteBytes(Buffer.from(text.slice(0, QUOTED_MAX)));
}
