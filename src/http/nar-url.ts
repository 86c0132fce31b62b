/**
 * URLs of NARs:
 *
 *   nar/tvix-castore/<base64url of a Node message without a name>?narsize=<bytes>    (read also: nar/snix-castore/)
 *   nar/<nixbase32 SHA-256 of the file>.nar[.<suffix>]
 *
 * The first names the content itself: whoever has it can answer, whatever else it knows.
 */
import { asBuffer } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import type { Node } from "../castore/node.js";
import { decodeNode, encodeNode } from "../castore/node-codec.js";
import { decodeNixBase32 } from "../store/nixbase32.js";

const NO_NAME = new Uint8Array(0);
const SHA256_BYTES = 32;
/** A symlink with the longest target has 4102. */
const NODE_BYTES_MAX = 4160;
const FOLDERS = new Set(["tvix-castore", "snix-castore"]);

/** The first form, relative to the cache. */
export function narUrl(node: Node, narSize: bigint): string {
  const text = asBuffer(encodeNode(NO_NAME, node)).toString("base64url");
  return `nar/tvix-castore/${text}?narsize=${narSize}`;
}

export function isCastoreFolder(name: string): boolean {
  return FOLDERS.has(name);
}

/**
 * The node that `text`, the part after the folder, names; `undefined` when it names none.
 *
 * @throws {StoreError} `invalid-argument` when it is longer than any node.
 */
export function nodeFromUrl(text: string): Node | undefined {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length > NODE_BYTES_MAX) {
    throw new StoreError("invalid-argument", "Invalid NAR URL: it is longer than any node");
  }
  if (bytes.toString("base64url") !== text.replace(/=+$/, "")) return undefined;
  try {
    const root = decodeNode(bytes);
    return root === undefined || root.name.length > 0 ? undefined : root.node;
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return undefined;
    throw error;
  }
}

/** The name of a file that holds a NAR. */
export interface NarFileName {
  /** 32 bytes: the SHA-256 of the file as it is. */
  readonly fileSha256: Buffer;
  /** Empty for none, else without its dot. */
  readonly suffix: string;
}

/** The file that `name` names; `undefined` when it names none. */
export function parseNarFileName(name: string): NarFileName | undefined {
  const [, hash, suffix = ""] = /^([^.]{52})\.nar(?:\.([a-z0-9]+))?$/.exec(name) ?? [];
  if (hash === undefined) return undefined;
  try {
    return { fileSha256: decodeNixBase32(hash, SHA256_BYTES), suffix };
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return undefined;
    throw error;
  }
}
