/**
 * A near directory service in front of a far one.
 */
import { TaskPool } from "../../base/concurrency.js";
import { isStoreError, type StoreError } from "../../base/errors.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { CallOptions } from "../blob/service.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import type { NearFar } from "../near-far.js";
import { walkClosure } from "./closure-walk.js";
import type { DirectoryPutter, DirectoryService } from "./service.js";

/** Directories of one closure on their way into near: enough to share a commit. */
const PENDING_MAX = 1024;

interface Fetched {
  readonly directory: Directory | undefined;
  readonly nearFailure: StoreError | undefined;
}

/**
 * Reads near, and what is not there from far, which near is then given. Requests for one directory at the
 * same time are one. A closure whose root near lacks comes from far as a whole; if near has the root, only
 * what is missing below it is asked for.
 *
 * Writes go to far alone. That a directory is absent is not remembered. A failure of far is thrown, never
 * taken for absence. A near that cannot take a directory is passed over; one that is damaged in near is
 * fetched anew; other failures to read near are thrown.
 */
export class CachingDirectoryService implements DirectoryService {
  readonly #sides: NearFar<DirectoryService>;
  readonly #flights = new SingleFlight<Fetched>();

  constructor(sides: NearFar<DirectoryService>) {
    this.#sides = sides;
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    const known = await this.#getNear(digest, options);
    if (known !== undefined) return known;
    return (await this.#fetch(digest, options)).directory;
  }

  /**
   * Sees to it that near has the directory.
   *
   * @returns false when far lacks it.
   * @throws {StoreError} what either side throws: here near is not passed over.
   */
  async fetch(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    if ((await this.#getNear(digest, options)) !== undefined) return true;
    const { directory, nearFailure } = await this.#fetch(digest, options);
    if (nearFailure !== undefined) throw nearFailure;
    return directory !== undefined;
  }

  async put(directory: Directory, options?: CallOptions): Promise<B3Digest> {
    return await this.#sides.far.put(directory, options);
  }

  async *getRecursive(digest: B3Digest, options: CallOptions = {}): AsyncGenerator<Directory> {
    if ((await this.#getNear(digest, options)) !== undefined) {
      yield* walkClosure(digest, (each) => this.get(each, options));
      return;
    }
    const pool = new TaskPool(PENDING_MAX);
    try {
      for await (const directory of this.#sides.far.getRecursive(digest, options)) {
        await pool.ready();
        pool.run(() => this.#keep(directory));
        yield directory;
      }
    } finally {
      await pool.settle();
    }
  }

  startPut(options?: CallOptions): DirectoryPutter {
    return this.#sides.far.startPut(options);
  }

  #fetch(digest: B3Digest, options: CallOptions): Promise<Fetched> {
    const fetch = async (signal: AbortSignal): Promise<Fetched> => {
      const directory = await this.#sides.far.get(digest, { signal });
      return { directory, nearFailure: directory && (await this.#keep(directory)) };
    };
    return this.#flights.run(digest.hex, fetch, options.signal);
  }

  /** @returns why near did not take it. */
  async #keep(directory: Directory): Promise<StoreError | undefined> {
    try {
      await this.#sides.near.put(directory);
      return undefined;
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#sides.onNearFailure?.(error);
      return error;
    }
  }

  async #getNear(digest: B3Digest, options: CallOptions): Promise<Directory | undefined> {
    try {
      return await this.#sides.near.get(digest, options);
    } catch (error) {
      if (!isStoreError(error, "corrupt")) throw error;
      this.#sides.onNearFailure?.(error);
      return undefined;
    }
  }
}
