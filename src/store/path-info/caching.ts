/**
 * A near path info service in front of a far one.
 */
import { toHex } from "../../base/bytes.js";
import { isStoreError, type StoreError } from "../../base/errors.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { NearFar } from "../../castore/near-far.js";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService, PutOptions } from "./service.js";

interface Fetched {
  readonly pathInfo: PathInfo | undefined;
  readonly nearFailure: StoreError | undefined;
}

/**
 * Reads near, and what is not there from far, which near is then given. Requests for one store path at the
 * same time are one. What near has is not asked for again: signatures that others add in far are not seen.
 *
 * A put goes to far, and what far made of it to near. Lists come from far, which alone knows everything.
 * That a path info is absent is not remembered. A failure of far is thrown, never taken for absence. A near
 * that cannot take a path info is passed over; one that is damaged in near is fetched, each time; other
 * failures to read near are thrown.
 */
export class CachingPathInfoService implements PathInfoService {
  readonly #sides: NearFar<PathInfoService>;
  readonly #flights = new SingleFlight<Fetched>();

  constructor(sides: NearFar<PathInfoService>) {
    this.#sides = sides;
  }

  async get(hash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    const known = await this.#getNear(hash, options);
    if (known !== undefined) return known;
    return (await this.#fetch(hash, options)).pathInfo;
  }

  /**
   * Sees to it that near has the path info.
   *
   * @returns false when far lacks it.
   * @throws {StoreError} what either side throws: here near is not passed over.
   */
  async fetch(hash: Uint8Array, options: CallOptions = {}): Promise<boolean> {
    if ((await this.#getNear(hash, options)) !== undefined) return true;
    const { pathInfo, nearFailure } = await this.#fetch(hash, options);
    if (nearFailure !== undefined) throw nearFailure;
    return pathInfo !== undefined;
  }

  async put(pathInfo: PathInfo, options?: PutOptions): Promise<PathInfo> {
    const stored = await this.#sides.far.put(pathInfo, options);
    await this.#keep(stored, options);
    return stored;
  }

  list(options?: CallOptions): AsyncIterable<PathInfo> {
    return this.#sides.far.list(options);
  }

  #fetch(hash: Uint8Array, options: CallOptions): Promise<Fetched> {
    const fetch = async (signal: AbortSignal): Promise<Fetched> => {
      const pathInfo = await this.#sides.far.get(hash, { signal });
      if (pathInfo === undefined || (await this.#isNear(hash))) {
        return { pathInfo, nearFailure: undefined };
      }
      return { pathInfo, nearFailure: await this.#keep(pathInfo) };
    };
    return this.#flights.run(toHex(hash), fetch, options.signal);
  }

  /** Whether near has it by now: a far that fetches puts what it gives where it was told to, which may be the same. */
  async #isNear(hash: Uint8Array): Promise<boolean> {
    const found = await this.#sides.near.get(hash).catch(() => undefined);
    return found !== undefined;
  }

  /** @returns why near did not take it. */
  async #keep(pathInfo: PathInfo, options?: PutOptions): Promise<StoreError | undefined> {
    try {
      await this.#sides.near.put(pathInfo, options);
      return undefined;
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#sides.onNearFailure?.(error);
      return error;
    }
  }

  async #getNear(hash: Uint8Array, options: CallOptions): Promise<PathInfo | undefined> {
    try {
      return await this.#sides.near.get(hash, options);
    } catch (error) {
      if (!isStoreError(error, "corrupt")) throw error;
      this.#sides.onNearFailure?.(error);
      return undefined;
    }
  }
}
