/**
 * One blob on its way from far to near, shared by all who want it meanwhile.
 */
import { throwIfAborted } from "../../base/abort.js";
import { isStoreError, messageOf, StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { NearFar } from "../near-far.js";
import type { BlobReader, BlobService } from "./service.js";

/** Near did not take the blob; its reason is the cause. Whoever reads has to make do with far. */
export class NearFailure extends Error {
  override readonly name = "NearFailure";
}

export class Arrival {
  /** How many readers use it; kept by their service. */
  users = 0;
  readonly digest: B3Digest;
  readonly #sides: NearFar<BlobService>;
  readonly #stop = new AbortController();
  #opening: Promise<BlobReader | undefined> | undefined;
  #filling: Promise<void> | undefined;
  #filled = false;

  constructor(digest: B3Digest, sides: NearFar<BlobService>) {
    this.digest = digest;
    this.#sides = sides;
  }

  /** Whether near has the whole blob. */
  get isFilled(): boolean {
    return this.#filled;
  }

  /** Whether the blob is being transferred, or was. */
  get isFilling(): boolean {
    return this.#filling !== undefined;
  }

  /** The one reader of far, `undefined` when far lacks the blob. After a failure it can be asked again. */
  far(): Promise<BlobReader | undefined> {
    if (this.#opening === undefined) {
      const opening = this.#sides.far.openRead(this.digest, { signal: this.#stop.signal });
      this.#opening = opening;
      opening.catch(() => {
        this.#opening = undefined;
      });
    }
    return this.#opening;
  }

  /**
   * Resolves when near has the blob. The first call starts the transfer and is given the pieces as they
   * arrive, the last of them when everything has been checked; the others only wait. A transfer waits for
   * nobody but near. It ends early when nobody uses the arrival any more.
   *
   * @throws {NearFailure} now and from then on, when near cannot take the blob.
   * @throws what far throws; the next call starts anew.
   */
  fill(onPiece: (piece: Uint8Array) => void = () => {}): Promise<void> {
    if (this.#filling === undefined) {
      const filling = this.#transfer(onPiece);
      this.#filling = filling;
      filling.catch((error: unknown) => {
        if (error instanceof NearFailure) this.#sides.onNearFailure?.(error.cause);
        else this.#filling = undefined;
      });
    }
    return this.#filling;
  }

  /** Ends the transfer and lets go of far. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#filling?.catch(() => {});
    const reader = await this.#opening?.catch(() => undefined);
    await reader?.[Symbol.asyncDispose]();
  }

  async #transfer(onPiece: (piece: Uint8Array) => void): Promise<void> {
    const reader = await this.far();
    if (reader === undefined) {
      throw new StoreError("dangling-reference", `Blob ${this.digest} is missing`);
    }
    await using writer = await ofNear(this.#sides.near.openWrite());
    let last: Uint8Array | undefined;
    for await (const piece of reader.stream()) {
      throwIfAborted(this.#stop.signal);
      await ofNear(writer.write(piece));
      if (last !== undefined) onPiece(last);
      last = piece;
    }
    throwIfAborted(this.#stop.signal);
    const stored = await ofNear(writer.close());
    if (!stored.digest.equals(this.digest)) {
      throw new StoreError("corrupt", `Blob ${this.digest} arrived as ${stored.digest}`);
    }
    this.#filled = true;
    if (last !== undefined) onPiece(last);
  }
}

async function ofNear<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (!isStoreError(cause)) throw cause;
    throw new NearFailure(`Cannot keep a blob near: ${messageOf(cause)}`, { cause });
  }
}
