import { LRUCache } from "lru-cache";
import { atMost } from "../../base/at-most.js";
import { toHex } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { CallOptions } from "../../castore/blob/service.js";
import { checkContentAddress } from "../content-address-check.js";
import { fileSizeOf, type Narinfo } from "../narinfo/narinfo.js";
import { trustIn } from "../path-info-trust.js";
import type { PublicKey } from "../signature/public-key.js";
import type { BinaryCache } from "./binary-cache.js";
import type { FilePart } from "./cache-fetcher.js";
import type { CircuitBreaker } from "./circuit-breaker.js";
import { failureOf } from "./http-failure.js";
import type { KeptAnswers } from "./kept-answers.js";
import type { NarSpool } from "./nar-spool.js";

/** How long it is believed, in memory, that a cache has, or lacks, a store path. */
const FOUND_MS = 10 * 60_000;
const ABSENT_MS = 60_000;
const REMEMBERED_MAX = 100_000;
/** So soon answers what is on this machine or in the next room: a question costs more to ask than to wait for. */
const NEAR_MS = 10;

/** A store path that can be had, and that may be believed. */
export interface Offer {
  readonly upstream: Upstream;
  readonly narinfo: Narinfo;
  /** Whether only its content address speaks for it, which the content has to bear out. */
  readonly byContentAddress: boolean;
  /** Whether it was kept from before, and its cache may have changed since. */
  readonly isKept: boolean;
}

export interface UpstreamOptions {
  readonly cache: BinaryCache;
  readonly breaker: CircuitBreaker;
  readonly keys: readonly PublicKey[];
  /** Whether someone has to vouch for what it says. */
  readonly checkSignatures: boolean;
  /** Lower is asked first; what the cache says itself, unless given. */
  readonly priority?: number | undefined;
  /** Where answers outlive the process; memory alone, unless given. */
  readonly kept?: KeptAnswers | undefined;
  /** Where large NARs that did not arrive whole are kept. */
  readonly spool?: NarSpool | undefined;
}

/**
 * A binary cache to substitute from: asked one question once at a time, its answers remembered for a while,
 * believed only when a trusted key or a content address speaks for them, those that were kept too, and left alone
 * when it fails.
 */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #flights = new SingleFlight<Offer | undefined>();
  readonly #remembered = new LRUCache<string, { readonly offer: Offer | undefined }>(
    atMost(REMEMBERED_MAX),
  );
  readonly #info = new SingleFlight<number>();
  /** What {@link meet} asked, and a question after it waits for. */
  readonly #meeting = new SingleFlight<number>();
  #priority: number | undefined;
  #soonestMs = Number.POSITIVE_INFINITY;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#priority = options.priority;
  }

  get address(): string {
    return this.#options.cache.address;
  }

  /** Its place among others, when it is known. */
  get knownPriority(): number | undefined {
    return this.#priority;
  }

  /** Whether it has answered so soon that hardly anything is gained by asking in advance. */
  get isNear(): boolean {
    return this.#soonestMs < NEAR_MS;
  }

  /** Its place among others. @throws {StoreError} when it cannot be asked, or is for another store. */
  async priority({ signal }: CallOptions = {}): Promise<number> {
    const { breaker } = this.#options;
    this.#priority ??= await this.#info.run(
      "",
      (shared) => breaker.run(() => this.#askPriority(shared)),
      signal,
    );
    return this.#priority;
  }

  /**
   * Connects, and learns what the first question would have to wait for. A failure is held against it only when there
   * is a question meanwhile.
   */
  async meet({ signal }: CallOptions = {}): Promise<void> {
    this.#priority ??= await this.#askPriority(signal);
  }

  /**
   * What it offers for the store path with this hash (20 bytes); `undefined` when it lacks it.
   *
   * @throws {StoreError} as `BinaryCache`; `corrupt` when nobody trusted speaks for what it has.
   */
  async find(hash: Uint8Array, { signal }: CallOptions = {}): Promise<Offer | undefined> {
    const key = toHex(hash);
    const remembered = this.#remembered.get(key);
    if (remembered !== undefined) return remembered.offer;
    return await this.#flights.run(key, (shared) => this.#ask(hash, key, shared), signal);
  }

  /**
   * The compressed NAR of an offer of its own. A connection that fails is a failure of the upstream; a server
   * that answers, but not with this file, may have others.
   */
  async *nar(narinfo: Narinfo, options?: CallOptions): AsyncGenerator<Uint8Array> {
    const { breaker, cache, spool } = this.#options;
    const size = fileSizeOf(narinfo);
    const fetch = (offset: number) => cache.nar(narinfo, { ...options, offset, size });
    try {
      yield* spool === undefined
        ? await fetch(0)
        : spool.through({ address: this.address, narinfo }, fetch, options?.signal);
    } catch (error) {
      if (failureOf(error)?.status === undefined) breaker.failed(error);
      throw error;
    }
  }

  /** The listing of the NAR of an offer of its own, of at most `bytesMax` bytes; `undefined` when there is none. */
  async listing(
    { storePath }: Narinfo,
    bytesMax: number,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const { breaker, cache } = this.#options;
    return await breaker.run(() => cache.listing(storePath.hash, bytesMax, options));
  }

  /** A part of what {@link nar} gives, in bytes of the file. @throws {StoreError} `unsupported` for none. */
  async narPart(
    narinfo: Narinfo,
    part: FilePart,
    options?: CallOptions,
  ): Promise<AsyncIterable<Uint8Array>> {
    return await this.#options.cache.narPart(narinfo, part, options);
  }

  /** What was remembered of a store path has turned out to be wrong. */
  forget(hash: Uint8Array): void {
    this.#remembered.delete(toHex(hash));
    this.#options.kept?.forget(this.address, hash);
  }

  close(): void {
    this.#options.cache.close();
  }

  async #askPriority(signal: AbortSignal | undefined): Promise<number> {
    const { cache } = this.#options;
    const ask = async (shared: AbortSignal) => (await cache.info({ signal: shared })).priority;
    return await this.#meeting.run("", ask, signal);
  }

  async #ask(hash: Uint8Array, key: string, signal: AbortSignal): Promise<Offer | undefined> {
    const before = this.#recall(hash, key);
    if (before !== undefined) return before.offer;
    const { breaker, cache, kept } = this.#options;
    const asked = performance.now();
    const narinfo = await breaker.run(() => cache.narinfo(hash, { signal }));
    this.#soonestMs = Math.min(this.#soonestMs, performance.now() - asked);
    const offer = narinfo && this.#judge(narinfo, false);
    const ttl = offer === undefined ? Math.min(ABSENT_MS, kept?.absentMs ?? ABSENT_MS) : FOUND_MS;
    // To the cache, 0 would be for ever.
    if (ttl > 0) this.#remembered.set(key, { offer }, { ttl });
    kept?.put(this.address, hash, narinfo);
    return offer;
  }

  /** What was kept, if that may be believed, with the keys of today. */
  #recall(hash: Uint8Array, key: string): { readonly offer: Offer | undefined } | undefined {
    const answer = this.#options.kept?.get(this.address, hash);
    if (answer === undefined) return undefined;
    const { narinfo, remainingMs } = answer;
    try {
      const offer = narinfo && this.#judge(narinfo, true);
      const ttl = Math.min(remainingMs, offer === undefined ? ABSENT_MS : FOUND_MS);
      this.#remembered.set(key, { offer }, { ttl });
      return { offer };
    } catch (error) {
      // It may have been signed by someone else since.
      if (isStoreError(error, "corrupt")) return undefined;
      throw error;
    }
  }

  /** Everything that can be checked before the NAR is here. */
  #judge(narinfo: Narinfo, isKept: boolean): Offer {
    const { keys, checkSignatures } = this.#options;
    const trust = trustIn(narinfo, keys);
    if (trust === undefined && checkSignatures) throw this.#untrusted(narinfo);
    try {
      // No signature covers it, so it must not contradict what one does cover.
      checkContentAddress(narinfo);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      throw new StoreError("corrupt", `${this.address}: ${error.message}`, { cause: error });
    }
    return { upstream: this, narinfo, byContentAddress: trust?.by === "content-address", isKept };
  }

  #untrusted({ storePath, signatures }: Narinfo): StoreError {
    const names = [...new Set(signatures.map(({ name }) => JSON.stringify(name)))];
    const trusted = this.#options.keys.map(({ name }) => JSON.stringify(name));
    const found =
      names.length === 0 ? "it has no signature" : `it is signed by ${names.join(", ")}`;
    const isForged = signatures.some(({ name }) => trusted.includes(JSON.stringify(name)));
    const wanted = isForged
      ? "the signature does not hold"
      : `trusted are ${trusted.join(", ") || "no keys at all (--trusted-public-key)"}`;
    return new StoreError(
      "corrupt",
      `No trusted key vouches for ${storePath} of ${this.address}: ${found}; ${wanted}`,
    );
  }
}
