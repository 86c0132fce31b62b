import { StoreError } from "../../base/errors.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { BlobService, CallOptions } from "../../castore/blob/service.js";
import type { FileNode } from "../../castore/node.js";

/**
 * Blobs of this many bytes together are under way at once, or one that is larger: with more, all large ones
 * would come to their end late, and a copy that is interrupted would have nothing to show.
 */
const UNDER_WAY_BYTES_MAX = 16 * 1024 * 1024;

export interface BlobEnds {
  readonly from: BlobService;
  readonly to: BlobService;
}

/** Copies blobs that are missing, each once however many trees that are copied at the same time have it. */
export class BlobCopier {
  readonly #flights = new SingleFlight<void>();
  readonly #waiting: (() => void)[] = [];
  #bytes = 0;

  /**
   * Makes the blob of `file` be in `to`.
   *
   * @returns whether this call moved it.
   * @throws {StoreError} `dangling-reference` when `from` lacks it, `corrupt` when it has other bytes.
   */
  async copy(
    file: FileNode,
    { from, to }: BlobEnds,
    options: CallOptions,
    onBytes: (count: number) => void,
  ): Promise<boolean> {
    let isMoved = false;
    // Without the signal: one task, which heeds it, is all that is to be waited for.
    await this.#flights.run(file.digest.hex, async () => {
      if (await to.has(file.digest, options)) return;
      isMoved = true;
      const size = Number(file.size);
      await this.#take(size);
      try {
        await move(file, { from, to }, options, onBytes);
      } finally {
        this.#give(size);
      }
    });
    if (!isMoved) onBytes(Number(file.size));
    return isMoved;
  }

  async #take(size: number): Promise<void> {
    while (this.#bytes > 0 && this.#bytes + size > UNDER_WAY_BYTES_MAX) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#bytes += size;
  }

  #give(size: number): void {
    this.#bytes -= size;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

async function move(
  { digest, size }: FileNode,
  { from, to }: BlobEnds,
  options: CallOptions,
  onBytes: (count: number) => void,
): Promise<void> {
  await using reader = await from.openRead(digest, options);
  if (reader === undefined) {
    throw new StoreError("dangling-reference", `Blob ${digest} is missing from the source`);
  }
  await using writer = await to.openWrite(options);
  for await (const piece of reader.stream(undefined, { transient: true })) {
    options.signal?.throwIfAborted();
    await writer.write(piece);
    onBytes(piece.length);
  }
  const stored = await writer.close();
  if (stored.digest.equals(digest) && BigInt(stored.size) === size) return;
  throw new StoreError(
    "corrupt",
    `Blob ${digest} of ${size} bytes was stored as ${stored.digest} of ${stored.size} bytes`,
  );
}
