/**
 * A near blob service in front of a far one.
 */
import { throwIfAborted, untilAborted } from "../../base/abort.js";
import { isStoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { NearFar } from "../near-far.js";
import { Arrival, NearFailure } from "./caching-arrival.js";
import { ArrivingReader } from "./caching-reader.js";
import type { BlobReader, BlobService, BlobWriter, CallOptions, ChunkMeta } from "./service.js";

/**
 * Reads near, and what is not there from far, filling near as it passes; a blob counts as near's when all
 * of it has arrived and has its digest. Whoever wants one blob at the same time shares one transfer, which
 * goes on as long as one of them does. A part of a blob is read through its chunks when far knows some,
 * which are then kept near; else the whole blob comes near first.
 *
 * Writes go to far alone. That a blob is absent is not remembered. A failure of far is thrown, never taken
 * for absence. A near that cannot keep a blob, being full for example, is passed over; a copy in near that
 * is damaged or gone is fetched anew; other failures to read near are thrown.
 */
export class CachingBlobService implements BlobService {
  readonly #sides: NearFar<BlobService>;
  readonly #arrivals = new Map<string, Arrival>();

  constructor(sides: NearFar<BlobService>) {
    this.#sides = sides;
  }

  async has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    const { near, far } = this.#sides;
    return (await near.has(digest, options)) || (await far.has(digest, options));
  }

  /** The signal of `options` ends what the reader does, too. */
  openRead(digest: B3Digest, options: CallOptions = {}): Promise<BlobReader | undefined> {
    return this.#open(digest, options, () => this.#chunksInFar(digest, options));
  }

  async openWrite(options?: CallOptions): Promise<BlobWriter> {
    return await this.#sides.far.openWrite(options);
  }

  async chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    const { near, far } = this.#sides;
    return (await near.chunks(digest, options)) ?? (await far.chunks(digest, options));
  }

  /**
   * Sees to it that near has the blob.
   *
   * @returns false when far lacks it.
   * @throws {StoreError} what either side throws: here near is not passed over.
   */
  async fetch(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    const arrival = this.#join(digest);
    try {
      throwIfAborted(options.signal);
      if (await this.#sides.near.has(digest, options)) return true;
      if ((await untilAborted(arrival.far(), options.signal)) === undefined) return false;
      await untilAborted(arrival.fill(), options.signal);
      return true;
    } catch (error) {
      throw error instanceof NearFailure ? error.cause : error;
    } finally {
      await this.#leave(arrival);
    }
  }

  async #open(
    digest: B3Digest,
    options: CallOptions,
    chunks: () => Promise<readonly ChunkMeta[]>,
  ): Promise<BlobReader | undefined> {
    const { signal } = options;
    // Joined before near is asked: a transfer that ends meanwhile is not missed by both.
    const arrival = this.#join(digest);
    let isKept = false;
    try {
      throwIfAborted(signal);
      const inNear = await this.#openNear(digest, options);
      if (inNear !== undefined) return inNear;
      const far = await untilAborted(arrival.far(), signal);
      if (far === undefined) return undefined;
      isKept = true;
      return new ArrivingReader({
        arrival,
        far,
        near: this.#sides.near,
        chunks,
        // Chunks of chunks are not looked for.
        openChunk: (chunk) => this.#open(chunk, options, async () => []),
        signal,
        release: () => this.#leave(arrival),
      });
    } finally {
      if (!isKept) await this.#leave(arrival);
    }
  }

  async #openNear(digest: B3Digest, options: CallOptions): Promise<BlobReader | undefined> {
    try {
      return await this.#sides.near.openRead(digest, options);
    } catch (error) {
      if (!isStoreError(error, "corrupt") && !isStoreError(error, "dangling-reference"))
        throw error;
      this.#sides.onNearFailure?.(error);
      return undefined;
    }
  }

  async #chunksInFar(digest: B3Digest, options: CallOptions): Promise<readonly ChunkMeta[]> {
    return (await this.#sides.far.chunks(digest, options)) ?? [];
  }

  #join(digest: B3Digest): Arrival {
    let arrival = this.#arrivals.get(digest.hex);
    if (arrival === undefined) {
      arrival = new Arrival(digest, this.#sides);
      this.#arrivals.set(digest.hex, arrival);
    }
    arrival.users++;
    return arrival;
  }

  async #leave(arrival: Arrival): Promise<void> {
    arrival.users--;
    if (arrival.users > 0) return;
    this.#arrivals.delete(arrival.digest.hex);
    await arrival.close();
  }
}
