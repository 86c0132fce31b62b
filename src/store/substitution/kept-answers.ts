/**
 * What binary caches said about store paths, kept in the index of a local store, so that a restart asks nothing
 * twice:
 *
 *   narinfos   start of the SHA-256 of the cache's address (12 bytes), hash part of the store path (20 bytes)
 *              → when it was asked, milliseconds since the epoch, u64 little-endian; the narinfo as text,
 *                nothing when the cache had none
 */
import { createHash } from "node:crypto";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { IndexDatabase, Table } from "../../castore/local/index-database.js";
import { formatNarinfo, type Narinfo } from "../narinfo/narinfo.js";
import { parseNarinfo } from "../narinfo/parse.js";

const ADDRESS_BYTES = 12;
const TIME_BYTES = 8;

/** As long as Nix: a NAR that is gone is noticed when it is asked for. */
const FOUND_MS = 30 * 24 * 60 * 60_000;
/** Much shorter than Nix, which takes an hour: what is missing may be about to be uploaded. */
const ABSENT_MS = 10 * 60_000;
/** The closures of several systems; about a kilobyte each. */
const ANSWERS_MAX = 32 * 1024;
/** Answers are written together: a commit stops the thread. */
const DELAY_MS = 500;
const WAITING_MAX = 256;

export interface KeptAnswersOptions {
  readonly foundMs?: number | undefined;
  readonly absentMs?: number | undefined;
  readonly answersMax?: number;
  readonly now?: () => number;
  /** Told why answers were not kept, which does no harm. */
  readonly onFailure?: (error: StoreError) => void;
}

/** An answer that may still be believed. Whether it may be trusted is another question. */
export interface KeptAnswer {
  /** `undefined` when the cache had none. */
  readonly narinfo: Narinfo | undefined;
  /** For how many milliseconds more. */
  readonly remainingMs: number;
}

interface Waiting {
  readonly key: Uint8Array;
  /** `undefined` to forget it. Made when it is written: until then somebody waits for what was answered. */
  readonly makeValue: (() => Uint8Array) | undefined;
}

/** At most so many; the oldest go first. What is lost with a killed process is asked again. */
export class KeptAnswers {
  readonly #index: IndexDatabase;
  readonly #table: Table;
  readonly #foundMs: number;
  /** How long it is believed that a cache lacks a store path. */
  readonly absentMs: number;
  readonly #answersMax: number;
  readonly #now: () => number;
  readonly #onFailure: (error: StoreError) => void;
  /** By key in hex. */
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  /** Once in the life of a process, and when there are too many. */
  #isSwept = false;

  constructor(index: IndexDatabase, options: KeptAnswersOptions = {}) {
    this.#index = index;
    this.#table = index.table("narinfos");
    this.#foundMs = options.foundMs ?? FOUND_MS;
    this.absentMs = options.absentMs ?? ABSENT_MS;
    this.#answersMax = options.answersMax ?? ANSWERS_MAX;
    this.#now = options.now ?? Date.now;
    this.#onFailure = options.onFailure ?? (() => {});
  }

  /** What the cache at `address` said about the store path with this hash (20 bytes), not too long ago. */
  get(address: string, hash: Uint8Array): KeptAnswer | undefined {
    const key = keyOf(address, hash);
    const waiting = this.#waiting.get(key.toString("hex"));
    if (waiting === undefined) this.#index.refresh();
    const value = waiting === undefined ? this.#table.get(key) : waiting.makeValue?.();
    if (value === undefined) return undefined;
    const remainingMs = this.#remainingMs(value);
    if (remainingMs <= 0) return undefined;
    if (value.length === TIME_BYTES) return { narinfo: undefined, remainingMs };
    try {
      return { narinfo: parseNarinfo(value.subarray(TIME_BYTES)), remainingMs };
    } catch (error) {
      // A version that comes later may be stricter.
      if (isStoreError(error, "invalid-argument")) return undefined;
      throw error;
    }
  }

  /** Keeps an answer of now, soon. */
  put(address: string, hash: Uint8Array, narinfo: Narinfo | undefined): void {
    const askedMs = this.#now();
    this.#write(keyOf(address, hash), () => encode(askedMs, narinfo));
  }

  /** An answer has turned out to be of no use. */
  forget(address: string, hash: Uint8Array): void {
    this.#write(keyOf(address, hash), undefined);
  }

  /** Begins to write what waits; the index completes it before it closes. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = [...this.#waiting];
    if (batch.length === 0) return;
    const writes = batch.map(([, { key, makeValue }]) => ({ key, value: makeValue?.() }));
    const bytes = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    this.#index
      .commit(() => {
        for (const { key, value } of writes) {
          if (value === undefined) this.#table.remove(key);
          else this.#table.put(key, value);
        }
        if (!this.#isSwept || this.#table.count > this.#answersMax) this.#sweep();
        this.#isSwept = true;
      }, bytes)
      .catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
        this.#onFailure(error);
      })
      .finally(() => {
        for (const [name, waiting] of batch) {
          if (this.#waiting.get(name) === waiting) this.#waiting.delete(name);
        }
      });
  }

  #write(key: Buffer, makeValue: (() => Uint8Array) | undefined): void {
    this.#waiting.set(key.toString("hex"), { key, makeValue });
    // Not worth a process that stays for it.
    this.#timer ??= setTimeout(() => this.flush(), DELAY_MS).unref();
    if (this.#waiting.size >= WAITING_MAX) this.flush();
  }

  /** Below 0 for one of the future as well: somebody set the clock back. */
  #remainingMs(value: Uint8Array): number {
    const asked = Number(Buffer.from(value.buffer, value.byteOffset, TIME_BYTES).readBigUInt64LE());
    const age = this.#now() - asked;
    const limit = value.length === TIME_BYTES ? this.absentMs : this.#foundMs;
    return age < 0 ? -1 : limit - age;
  }

  /** Removes what is too old, and of too many also what is closest to that, until a quarter is free. */
  #sweep(): void {
    const ages: { readonly key: Uint8Array; readonly remainingMs: number }[] = [];
    for (const key of [...this.#table.keys()]) {
      const value = this.#table.peek(key);
      if (value !== undefined) ages.push({ key, remainingMs: this.#remainingMs(value) });
    }
    ages.sort((a, b) => b.remainingMs - a.remainingMs);
    const kept = ages.length > this.#answersMax ? this.#answersMax * 0.75 : ages.length;
    for (const [place, { key, remainingMs }] of ages.entries()) {
      if (place >= kept || remainingMs <= 0) this.#table.remove(key);
    }
  }
}

function encode(askedMs: number, narinfo: Narinfo | undefined): Uint8Array {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64LE(BigInt(askedMs));
  const text = narinfo === undefined ? "" : formatNarinfo(narinfo);
  return Buffer.concat([time, Buffer.from(text)]);
}

function keyOf(address: string, hash: Uint8Array): Buffer {
  const digest = createHash("sha256").update(address).digest();
  return Buffer.concat([digest.subarray(0, ADDRESS_BYTES), hash]);
}
