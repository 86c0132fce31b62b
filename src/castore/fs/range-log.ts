/**
 * Which inode numbers have been given to which root node, in memory that threads share.
 *
 *   log    := head { record }
 *   head   := lock i32 · count i32 · next f64 · zeros to 64 bytes
 *   record := base f64 · id 32 bytes · name length u16 · name · zeros to 304 bytes
 *
 * Records are only ever appended, and not changed once they are counted. One with a base that was given before
 * says what these numbers mean from now on.
 */
import { StoreError } from "../../base/errors.js";
import { withLock } from "../../base/shared-lock.js";
import { B3Digest } from "../digest.js";
import { NAME_BYTES_MAX } from "../path-component.js";
import { ROOT_INODE } from "./file-system.js";

const HEAD_BYTES = 64;
const RECORD_BYTES = 304;
/** Address space for a million roots; memory is taken as they come. */
const LOG_BYTES_MAX = HEAD_BYTES + RECORD_BYTES * 2 ** 20;
const GROWTH_BYTES = RECORD_BYTES * 1024;

const LOCK = 0;
const COUNT = 1;
const NEXT_OFFSET = 8;

/** Far more than any tree has; keeps one absurd `size` from using up the numbers. */
const SPAN_MAX = 2 ** 44;

export interface RangeRecord {
  readonly base: number;
  /** What the root was when it got its number. */
  readonly id: B3Digest;
  readonly name: Uint8Array;
}

export class RangeLog {
  /** To be given to the constructor in another thread. */
  readonly memory: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(memory?: SharedArrayBuffer) {
    this.memory =
      memory ?? new SharedArrayBuffer(HEAD_BYTES + GROWTH_BYTES, { maxByteLength: LOG_BYTES_MAX });
    this.#head = new Int32Array(this.memory, 0, 2);
    this.#view = new DataView(this.memory);
    this.#bytes = new Uint8Array(this.memory);
    if (memory === undefined) this.#view.setFloat64(NEXT_OFFSET, ROOT_INODE + 1);
  }

  /** How many records there are. */
  get count(): number {
    return Atomics.load(this.#head, COUNT);
  }

  /** A copy of record `index`. */
  record(index: number): RangeRecord {
    const at = HEAD_BYTES + index * RECORD_BYTES;
    const nameEnd = at + 42 + this.#view.getUint16(at + 40);
    return {
      base: this.#view.getFloat64(at),
      id: B3Digest.from(Uint8Array.from(this.#bytes.subarray(at + 8, at + 40))),
      name: Uint8Array.from(this.#bytes.subarray(at + 42, nameEnd)),
    };
  }

  /** Runs `section` while no other thread appends. Not to be nested. */
  exclusively<T>(section: () => T): T {
    return withLock(this.#head, LOCK, section);
  }

  /**
   * Takes `span` numbers for the root `id` called `name`. Only inside {@link exclusively}.
   *
   * @throws {StoreError} `limit-exceeded` when there are not so many, or there are too many roots.
   */
  append(id: B3Digest, name: Uint8Array, span: number): void {
    if (name.length > NAME_BYTES_MAX) throw new TypeError("A root name is at most 255 bytes long");
    const base = this.#view.getFloat64(NEXT_OFFSET);
    if (span > SPAN_MAX || base + span > Number.MAX_SAFE_INTEGER) {
      throw new StoreError(
        "limit-exceeded",
        `A tree that states ${span - 1} entries has more than can be numbered`,
      );
    }
    this.#write(base, id, name);
    this.#view.setFloat64(NEXT_OFFSET, base + span);
    Atomics.add(this.#head, COUNT, 1);
  }

  /**
   * The numbers from `base` on, given to the root called `name` before, are those of `id` from now on. Only inside
   * {@link exclusively}.
   *
   * @throws {StoreError} `limit-exceeded` when there are too many records.
   */
  rebind(base: number, id: B3Digest, name: Uint8Array): void {
    this.#write(base, id, name);
    Atomics.add(this.#head, COUNT, 1);
  }

  /** Writes a record that is not counted yet. */
  #write(base: number, id: B3Digest, name: Uint8Array): void {
    const at = HEAD_BYTES + this.count * RECORD_BYTES;
    this.#reserve(at + RECORD_BYTES);
    this.#view.setFloat64(at, base);
    this.#bytes.set(id.bytes, at + 8);
    this.#view.setUint16(at + 40, name.length);
    this.#bytes.set(name, at + 42);
  }

  #reserve(end: number): void {
    if (end <= this.memory.byteLength) return;
    if (end > LOG_BYTES_MAX) {
      throw new StoreError("limit-exceeded", "More roots were looked at than can be numbered");
    }
    this.memory.grow(Math.min(end + GROWTH_BYTES, LOG_BYTES_MAX));
  }
}
