import { equalBytes } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import { NARINFO_SIZE_MAX, parseNarinfo } from "../narinfo/parse.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { CacheFetcher, FilePart, StreamOptions } from "./cache-fetcher.js";
import {
  CACHE_INFO_NAME,
  CACHE_INFO_SIZE_MAX,
  type CacheInfo,
  PRIORITY_DEFAULT,
  parseCacheInfo,
} from "./cache-info.js";

/**
 * Reads a binary cache. What it says is checked for its form only. Bad bytes of the cache are `corrupt`, other
 * errors those of `CacheFetcher`; all name the file.
 */
export class BinaryCache {
  readonly #fetcher: CacheFetcher;

  constructor(fetcher: CacheFetcher) {
    this.#fetcher = fetcher;
  }

  /** What the user called it. */
  get address(): string {
    return this.#fetcher.address;
  }

  /** What it says about itself; the defaults when it does not. */
  async info(options?: CallOptions): Promise<CacheInfo> {
    const bytes = await this.#fetcher.read(CACHE_INFO_NAME, CACHE_INFO_SIZE_MAX, options);
    if (bytes === undefined) return { priority: PRIORITY_DEFAULT };
    return this.#understand(CACHE_INFO_NAME, () => parseCacheInfo(bytes));
  }

  /** The narinfo of the store path with this hash (20 bytes); `undefined` when there is none. */
  async narinfo(hash: Uint8Array, options?: CallOptions): Promise<Narinfo | undefined> {
    const name = `${encodeNixBase32(hash)}.narinfo`;
    const bytes = await this.#fetcher.read(name, NARINFO_SIZE_MAX, options);
    if (bytes === undefined) return undefined;
    const narinfo = this.#understand(name, () => parseNarinfo(bytes));
    if (equalBytes(narinfo.storePath.hash, hash)) return narinfo;
    throw corrupt(`${this.address} has the narinfo of ${narinfo.storePath} as ${name}`);
  }

  /**
   * The NAR that `narinfo` is about, as it is stored: compressed; from an offset in that on.
   *
   * @throws {StoreError} `corrupt` when it is not there: what is listed has to be.
   */
  async nar(narinfo: Narinfo, options?: StreamOptions): Promise<AsyncIterable<Uint8Array>> {
    return this.#nar(narinfo, (url) => this.#fetcher.stream(url, options));
  }

  async #nar(
    { url, storePath }: Narinfo,
    fetch: (url: string) => Promise<AsyncIterable<Uint8Array> | undefined>,
  ): Promise<AsyncIterable<Uint8Array>> {
    let content: AsyncIterable<Uint8Array> | undefined;
    try {
      content = await fetch(url);
    } catch (error) {
      // A place outside the cache is the narinfo's fault.
      throw isStoreError(error, "invalid-argument") ? corrupt(error.message, error) : error;
    }
    if (content !== undefined) return content;
    throw corrupt(`${this.address} has no ${JSON.stringify(url)}, the NAR of ${storePath}`);
  }

  /**
   * The listing of the NAR of the store path with this hash (20 bytes), as it is, of at most `bytesMax` bytes;
   * `undefined` when there is none.
   */
  async listing(
    hash: Uint8Array,
    bytesMax: number,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    return await this.#fetcher.read(`${encodeNixBase32(hash)}.ls`, bytesMax, options);
  }

  /**
   * The part of `length` bytes from `offset` on of the file that {@link nar} is about.
   *
   * @throws {StoreError} as {@link nar}; `unsupported` when the cache gives no parts.
   */
  async narPart(
    narinfo: Narinfo,
    part: FilePart,
    options?: CallOptions,
  ): Promise<AsyncIterable<Uint8Array>> {
    return this.#nar(narinfo, (url) => this.#fetcher.part(url, part, options));
  }

  close(): void {
    this.#fetcher.close();
  }

  #understand<T>(name: string, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      throw isStoreError(error)
        ? corrupt(`Cannot use ${name} of ${this.address}: ${error.message}`, error)
        : error;
    }
  }
}

function corrupt(message: string, cause?: unknown): StoreError {
  return new StoreError("corrupt", message, { cause });
}
