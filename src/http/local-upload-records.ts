/**
 * Records of uploads in tables of the index of a local store:
 *
 *   nar-files     SHA-256 of the file (32 bytes) → NarFileRecord { 1 NAR SHA-256 · 2 compression }
 *   cache-files   name (UTF-8) → CacheFileRecord { 1 BLAKE3 of the content · 3 size u64 }
 */
import { quoteBytes } from "../base/bytes.js";
import { messageOf, StoreError } from "../base/errors.js";
import { WireReader, WireWriter } from "../base/protobuf.js";
import { B3Digest } from "../castore/digest.js";
import type { IndexDatabase, Table } from "../castore/local/index-database.js";
import type { CacheFileRecord, NarFileRecord, UploadRecords } from "./upload-records.js";

export class LocalUploadRecords implements UploadRecords {
  readonly #index: IndexDatabase;
  readonly #narFiles: Table;
  readonly #cacheFiles: Table;

  constructor(index: IndexDatabase) {
    this.#index = index;
    this.#narFiles = index.table("nar-files");
    this.#cacheFiles = index.table("cache-files");
  }

  async narFile(fileSha256: Uint8Array): Promise<NarFileRecord | undefined> {
    return this.#read(this.#narFiles, fileSha256, ({ bytes }) => ({
      narSha256: bytes(1),
      compression: Buffer.from(bytes(2)).toString(),
    }));
  }

  async putNarFile(fileSha256: Uint8Array, record: NarFileRecord): Promise<void> {
    const writer = new WireWriter();
    writer.bytes(1, record.narSha256);
    writer.bytes(2, Buffer.from(record.compression));
    await this.#write(this.#narFiles, fileSha256, writer.finish());
  }

  async cacheFile(name: string): Promise<CacheFileRecord | undefined> {
    return this.#read(this.#cacheFiles, Buffer.from(name), ({ bytes, size }) => ({
      digest: B3Digest.from(bytes(1)),
      size,
    }));
  }

  async putCacheFile(name: string, record: CacheFileRecord): Promise<void> {
    const writer = new WireWriter();
    writer.bytes(1, record.digest.bytes);
    writer.uint(3, record.size);
    await this.#write(this.#cacheFiles, Buffer.from(name), writer.finish());
  }

  async #write(table: Table, key: Uint8Array, value: Buffer): Promise<void> {
    await this.#index.commit(() => table.put(key, value), key.length + value.length);
  }

  #read<T>(table: Table, key: Uint8Array, make: (fields: Fields) => T): T | undefined {
    this.#index.refresh();
    const stored = table.get(key);
    if (stored === undefined) return undefined;
    try {
      return make(fieldsOf(stored));
    } catch (error) {
      const what = `Record ${quoteBytes(key)} of an upload is damaged: ${messageOf(error)}`;
      throw new StoreError("corrupt", what, { cause: error });
    }
  }
}

interface Fields {
  bytes(field: number): Uint8Array;
  readonly size: bigint;
}

function fieldsOf(record: Uint8Array): Fields {
  const reader = new WireReader(record);
  const contents = new Map<number, Uint8Array>();
  let size = 0n;
  while (reader.next()) {
    if (reader.field <= 2) contents.set(reader.field, reader.content());
    else if (reader.field === 3) size = reader.uint();
    else reader.skip();
  }
  return { bytes: (field) => contents.get(field) ?? new Uint8Array(0), size };
}
