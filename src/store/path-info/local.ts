/**
 * Path infos of the local store, in tables of the same index as its blobs and directories:
 *
 *   path-infos   hash part of the store path (20 bytes) → PathInfo message
 *   nars         NAR SHA-256 (32 bytes) → root node and NAR size, see nar-record.ts
 *   meta         "path-infos-changed" → u64 little-endian, milliseconds since the epoch
 */
import { LRUCache } from "lru-cache";
import { copyBytes, equalBytes, toHex } from "../../base/bytes.js";
import { messageOf, StoreError } from "../../base/errors.js";
import type { Table } from "../../castore/local/index-database.js";
import type { CommittingIndex } from "../../castore/local/staged-index.js";
import { encodeNarRecord } from "../nar-record.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { type PathInfo, validatePathInfo } from "../path-info.js";
import { decodePathInfo, encodePathInfo } from "../path-info-codec.js";
import { pathInfoAfterPut } from "../path-info-merge.js";
import { validateStorePathHash } from "../store-path.js";
import type { PathInfoService, PutOptions } from "./service.js";

/** Of messages whose path infos are remembered; decoded they take a few times as much. */
const DECODED_BYTES_MAX = 2 * 1024 * 1024;
const CHANGED_KEY = Buffer.from("path-infos-changed");

export class LocalPathInfoService implements PathInfoService {
  readonly #index: CommittingIndex;
  readonly #pathInfos: Table;
  readonly #nars: Table;
  readonly #meta: Table;
  /** By hash in hex. Good for as long as the table has the same message. */
  readonly #decoded = new LRUCache<string, DecodedPathInfo>({
    maxSize: DECODED_BYTES_MAX,
    sizeCalculation: ({ message }) => message.length,
  });

  constructor(index: CommittingIndex) {
    this.#index = index;
    this.#pathInfos = index.table("path-infos");
    this.#nars = index.table("nars");
    this.#meta = index.table("meta");
  }

  async get(hash: Uint8Array): Promise<PathInfo | undefined> {
    this.#index.refresh();
    return this.getResident(hash);
  }

  async put(pathInfo: PathInfo, options?: PutOptions): Promise<PathInfo> {
    validatePathInfo(pathInfo);
    const { hash } = pathInfo.storePath;
    return await this.#index.commit(() => {
      const stored = this.getResident(hash);
      const merged = pathInfoAfterPut(stored, pathInfo, options);
      const encoded = encodePathInfo(merged);
      if (stored !== undefined && equalBytes(encoded, encodePathInfo(stored))) return stored;
      this.#pathInfos.put(hash, encoded);
      // What was calculated here is not given up for what somebody states.
      if (!this.#nars.has(merged.narSha256)) {
        this.#nars.put(merged.narSha256, encodeNarRecord(merged));
      }
      this.#meta.put(CHANGED_KEY, encodeTime(Date.now()));
      return merged;
    }, 1024);
  }

  async *list(): AsyncGenerator<PathInfo> {
    this.#index.refresh();
    for (const hash of [...this.#pathInfos.keys()]) {
      const pathInfo = await this.get(hash);
      if (pathInfo !== undefined) yield pathInfo;
    }
  }

  /** As {@link get}, at once and as of the last `refresh` of the index. */
  getResident(hash: Uint8Array): PathInfo | undefined {
    validateStorePathHash(hash);
    const found = this.#pathInfos.peek(hash);
    if (found === undefined) return undefined;
    const key = toHex(hash);
    const known = this.#decoded.get(key);
    if (known !== undefined && equalBytes(known.message, found)) return known.pathInfo;
    const message = copyBytes(found);
    const pathInfo = decode(hash, message);
    this.#decoded.set(key, { message, pathInfo });
    return pathInfo;
  }

  /** The hash parts of all store paths, as of the last `refresh` of the index. */
  residentHashes(): Iterable<Uint8Array> {
    return this.#pathInfos.keys();
  }

  /** When the set of store paths last changed, in milliseconds since the epoch; 0 when it never did. */
  changedAtMs(): number {
    const value = this.#meta.get(CHANGED_KEY);
    return value === undefined ? 0 : decodeTime(value);
  }
}

interface DecodedPathInfo {
  readonly message: Uint8Array;
  readonly pathInfo: PathInfo;
}

function decode(hash: Uint8Array, message: Uint8Array): PathInfo {
  try {
    const pathInfo = decodePathInfo(message);
    if (equalBytes(pathInfo.storePath.hash, hash)) return pathInfo;
    throw new StoreError("invalid-argument", `it describes ${pathInfo.storePath}`);
  } catch (error) {
    throw new StoreError(
      "corrupt",
      `Path info ${encodeNixBase32(hash)} is damaged: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function encodeTime(timeMs: number): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(BigInt(timeMs));
  return value;
}

function decodeTime(value: Uint8Array): number {
  return Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0, true));
}
