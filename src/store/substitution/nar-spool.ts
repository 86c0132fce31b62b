/**
 * What has arrived of large NAR files, kept so that a download that ends before its end, with its process or
 * without, is taken up where it was.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { toHex } from "../../base/bytes.js";
import { errnoOf, isStoreError, StoreError } from "../../base/errors.js";
import { isOwnerAlive, ownUploadName } from "../../castore/local/upload-file.js";
import { fileSizeOf, type Narinfo } from "../narinfo/narinfo.js";
import { formatHash } from "../nix-hash.js";

/** Smaller ones are fetched again sooner than looked for. */
const FILE_BYTES_MIN = 4 * 1024 * 1024;
/** All of them together; beyond that downloads begin anew. */
const SPOOL_BYTES_MAX = 8 * 1024 ** 3;
const READ_BYTES = 1024 * 1024;
/** What has come is written so much at a time, or as much as has come in so long. */
const WRITE_BYTES = 1024 * 1024;
const WRITE_AFTER_MS = 100;
const MARK = "nar-";
const KEY_CHARACTERS = 32;

export interface NarSpoolOptions {
  readonly fileBytesMin?: number;
  readonly spoolBytesMax?: number;
}

interface Spooled {
  readonly path: string;
  readonly handle: FileHandle;
  /** Bytes: how much an earlier attempt has left. */
  readonly length: number;
}

/**
 * Files in the `tmp` folder of a store, `PID.STARTTIME.nar-KEY`, which are swept like uploads. They are not
 * synced: what is from before the machine was started is not used. Whether the whole is right is for the
 * reader to find out, as always; one that stops reading for that reason is rid of the file.
 */
export class NarSpool {
  readonly #folder: string;
  readonly #fileBytesMin: number;
  readonly #spoolBytesMax: number;
  /** Those that this process is writing. */
  readonly #active = new Set<string>();

  constructor(folder: string, options: NarSpoolOptions = {}) {
    this.#folder = folder;
    this.#fileBytesMin = options.fileBytesMin ?? FILE_BYTES_MIN;
    this.#spoolBytesMax = options.spoolBytesMax ?? SPOOL_BYTES_MAX;
  }

  /**
   * The file of the NAR that `narinfo` of the cache at `address` is about: first what is left of an attempt
   * before, then what `fetch` gives from that offset on.
   */
  async *through(
    { address, narinfo }: { readonly address: string; readonly narinfo: Narinfo },
    fetch: (offset: number) => Promise<AsyncIterable<Uint8Array>>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const size = fileSizeOf(narinfo);
    const key = keyOf(address, narinfo);
    const isWorthIt = size >= this.#fileBytesMin && !this.#active.has(key);
    if (isWorthIt) this.#active.add(key);
    const spooled = isWorthIt ? await this.#claim(key, size) : undefined;
    if (spooled === undefined) {
      if (isWorthIt) this.#active.delete(key);
      yield* await fetch(0);
      return;
    }
    // A dead line and an interruption leave it for the next attempt; anything else but the end is its own fault.
    let isWanted = false;
    try {
      yield* contentOf(spooled);
      if (spooled.length < size) yield* appending(spooled, await fetch(spooled.length));
    } catch (error) {
      isWanted = !isStoreError(error, "corrupt");
      throw error;
    } finally {
      this.#active.delete(key);
      await spooled.handle.close();
      if (!isWanted && !signal?.aborted) await unlink(spooled.path).catch(() => {});
    }
  }

  /** What an attempt before has left, or a new file; `undefined` when there can be none. */
  async #claim(key: string, size: number): Promise<Spooled | undefined> {
    try {
      const own = join(this.#folder, ownUploadName(`${MARK}${key}`));
      let spoolBytes = size;
      for (const name of await readdir(this.#folder)) {
        if (!name.includes(`.${MARK}`)) continue;
        const path = join(this.#folder, name);
        const length = await this.#lengthOf(path);
        spoolBytes += length ?? 0;
        if (length === undefined || !name.endsWith(key)) continue;
        if (path !== own && isOwnerAlive(name)) continue;
        if (length > size) {
          await unlink(path);
          continue;
        }
        // Of two that want it one gets it.
        await rename(path, own);
        return { path: own, handle: await open(own, "r+"), length };
      }
      if (spoolBytes > this.#spoolBytesMax) return undefined;
      return { path: own, handle: await open(own, "wx+", 0o600), length: 0 };
    } catch (error) {
      // Without it a download that breaks begins anew, and that is all.
      if (errnoOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /** `undefined` when it is gone, or not to be trusted and therefore removed. */
  async #lengthOf(path: string): Promise<number | undefined> {
    try {
      const { size, mtimeMs } = await stat(path);
      if (mtimeMs > Date.now() - uptime() * 1000) return size;
      await unlink(path);
      return undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }
}

async function* contentOf({ handle, length }: Spooled): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < length; ) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, length - offset));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) throw new StoreError("corrupt", "A file in tmp/ became shorter");
    offset += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** What `source` gives, which is written behind what is there as well, for as long as there is room. */
async function* appending(
  { handle, length }: Spooled,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let end = length;
  let unwritten: Uint8Array[] = [];
  let unwrittenBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let lastWrite = Promise.resolve(true);
  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const pieces = unwritten;
    const start = end;
    end += unwrittenBytes;
    unwritten = [];
    unwrittenBytes = 0;
    // A gap would be worse than an early end.
    lastWrite = lastWrite.then((isWritten) => isWritten && writeAll(handle, pieces, start));
  };
  try {
    for await (const piece of source) {
      unwritten.push(piece);
      unwrittenBytes += piece.length;
      timer ??= setTimeout(write, WRITE_AFTER_MS);
      if (unwrittenBytes >= WRITE_BYTES) {
        await lastWrite;
        write();
      }
      yield piece;
    }
  } finally {
    write();
    await lastWrite;
  }
}

/** Whether all of `pieces` have been written. */
async function writeAll(
  handle: FileHandle,
  pieces: readonly Uint8Array[],
  start: number,
): Promise<boolean> {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  try {
    return (await handle.writev(pieces, start)).bytesWritten === bytes;
  } catch {
    return false;
  }
}

/** Equal for equal files; without a hash of the file, only for the same file of the same cache. */
function keyOf(address: string, narinfo: Narinfo): string {
  const { fileHash, url, compression, narSha256 } = narinfo;
  const file = fileHash === undefined ? `${address} ${url}` : formatHash(fileHash);
  const what = `${file} ${compression} ${toHex(narSha256)}`;
  return createHash("sha256").update(what).digest("hex").slice(0, KEY_CHARACTERS);
}
