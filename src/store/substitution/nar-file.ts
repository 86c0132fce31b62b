import { createHash, type Hash } from "node:crypto";
import { equalBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { formatHash } from "../nix-hash.js";

/**
 * The file of a NAR on its way, checked against what its narinfo says about it: `FileSize` while it comes,
 * both when it is over. To be read once.
 */
export class NarFile implements AsyncIterable<Uint8Array> {
  readonly #narinfo: Narinfo;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #onBytes: (bytes: number) => void;
  readonly #hash: Hash | undefined;
  #bytes = 0n;
  #failure: unknown;

  /** `onBytes` is told how much more has come. */
  constructor(
    narinfo: Narinfo,
    source: AsyncIterable<Uint8Array>,
    onBytes: (bytes: number) => void,
  ) {
    this.#narinfo = narinfo;
    this.#source = source;
    this.#onBytes = onBytes;
    this.#hash = narinfo.fileHash && createHash(narinfo.fileHash.algorithm);
  }

  /** What the source failed with; `undefined` when it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.#source) {
        this.#bytes += BigInt(piece.length);
        this.#hash?.update(piece);
        this.#onBytes(piece.length);
        const { fileSize } = this.#narinfo;
        if (fileSize !== undefined && this.#bytes > fileSize) {
          throw this.#wrong("FileSize", `${fileSize}`, "more");
        }
        yield piece;
      }
      this.#check();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #check(): void {
    const { fileSize, fileHash } = this.#narinfo;
    if (fileSize !== undefined && fileSize !== this.#bytes) {
      throw this.#wrong("FileSize", `${fileSize}`, `${this.#bytes}`);
    }
    if (fileHash === undefined || this.#hash === undefined) return;
    const digest = this.#hash.digest();
    if (equalBytes(digest, fileHash.digest)) return;
    throw this.#wrong("FileHash", formatHash(fileHash), formatHash({ ...fileHash, digest }));
  }

  #wrong(field: string, stated: string, found: string): StoreError {
    return new StoreError("corrupt", `its ${field} is ${found}, the narinfo says ${stated}`);
  }
}
