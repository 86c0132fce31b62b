/**
 * What a local store knows of NARs, in tables of its index:
 *
 *   nars         NAR SHA-256 (32 bytes) → NarRecord, see nar-record.ts; path infos are noted here too
 *   nar-hashes   BLAKE3 of the Node message without a name (32 bytes) → NarHashRecord
 */
import { toHex } from "../../base/bytes.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { B3Digest } from "../../castore/digest.js";
import type { Table } from "../../castore/local/index-database.js";
import type { CommittingIndex } from "../../castore/local/staged-index.js";
import type { Node } from "../../castore/node.js";
import { encodeNode } from "../../castore/node-codec.js";
import {
  decodeNarHash,
  decodeNarRecord,
  encodeNarHash,
  encodeNarRecord,
  type NarRecord,
} from "../nar-record.js";
import type { NarHash } from "./hasher.js";
import type { NarRecords } from "./records.js";

const NO_NAME = new Uint8Array(0);

export class LocalNarRecords implements NarRecords {
  readonly #index: CommittingIndex;
  readonly #nars: Table;
  readonly #hashes: Table;

  constructor(index: CommittingIndex) {
    this.#index = index;
    this.#nars = index.table("nars");
    this.#hashes = index.table("nar-hashes");
  }

  async root(narSha256: Uint8Array): Promise<NarRecord | undefined> {
    return this.#read(this.#nars, narSha256, decodeNarRecord);
  }

  async hash(node: Node): Promise<NarHash | undefined> {
    return this.#read(this.#hashes, keyOf(node), decodeNarHash);
  }

  async remember(node: Node, hash: NarHash): Promise<void> {
    const key = keyOf(node);
    const value = encodeNarHash(hash);
    const record = encodeNarRecord({ node, narSize: hash.narSize });
    this.#index.refresh();
    if (this.#hashes.holds(key, value) && this.#nars.holds(hash.narSha256, record)) return;
    await this.#index.commit(() => {
      this.#hashes.put(key, value);
      this.#nars.put(hash.narSha256, record);
    }, 256);
  }

  #read<T>(table: Table, key: Uint8Array, decode: (bytes: Uint8Array) => T): T | undefined {
    this.#index.refresh();
    const bytes = table.get(key);
    if (bytes === undefined) return undefined;
    try {
      return decode(bytes);
    } catch (error) {
      throw new StoreError("corrupt", `NAR record ${toHex(key)} is damaged: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** Covers what the NAR depends on, the executable bit and the target, and the stated size. */
function keyOf(node: Node): Uint8Array {
  return B3Digest.of(encodeNode(NO_NAME, node)).bytes;
}
