/**
 * Requests as the kernel writes them, little-endian on every machine we run on:
 *
 *   request := header body          header := len u32 · opcode u32 · unique u64 · nodeid u64 ·
 *                                             uid u32 · gid u32 · pid u32 · extension length u16 · pad u16
 *
 * One read(2) of the device gives one whole request. Everything is checked against the length before it is
 * looked at: what is cut short is an error of this request alone.
 */

export const HEADER_BYTES = 40;
const TWO_32 = 0x1_0000_0000;

/** One request on the memory it was read into; valid until the next one is read there. */
export class FuseRequest {
  readonly #bytes: Buffer;
  #length = 0;

  /** `bytes` is where requests are read into. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * Takes up the request of `length` bytes that was just read.
   *
   * @returns false when it is not a whole request: there is nothing to answer then.
   */
  take(length: number): boolean {
    this.#length = length;
    return length >= HEADER_BYTES && this.#bytes.readUInt32LE(0) === length;
  }

  get opcode(): number {
    return this.#bytes.readUInt32LE(4);
  }

  /** The number that the reply must carry, as the eight bytes that it is. */
  get unique(): bigint {
    return this.#bytes.readBigUInt64LE(8);
  }

  /** Copies the unique number into a reply header. */
  copyUnique(reply: Buffer): void {
    this.#bytes.copy(reply, 8, 8, 16);
  }

  /** The inode the request is about. Numbers above 2^53 are none of ours. */
  get nodeId(): number {
    return this.#bytes.readUInt32LE(16) + this.#bytes.readUInt32LE(20) * TWO_32;
  }

  /** Bytes after the header. */
  get bodyLength(): number {
    return this.#length - HEADER_BYTES;
  }

  /** @throws {MalformedRequest} when the body ends before it. */
  u32(offset: number): number {
    this.#need(offset + 4);
    return this.#bytes.readUInt32LE(HEADER_BYTES + offset);
  }

  /** A u64; above 2^53 it is rounded. @throws {MalformedRequest} when the body ends before it. */
  u64(offset: number): number {
    this.#need(offset + 8);
    const at = HEADER_BYTES + offset;
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * TWO_32;
  }

  /** As {@link u64}, exact. */
  bigU64(offset: number): bigint {
    this.#need(offset + 8);
    return this.#bytes.readBigUInt64LE(HEADER_BYTES + offset);
  }

  /**
   * The bytes of a name, which ends with a NUL, on the request's memory.
   *
   * @throws {MalformedRequest} when there is no NUL.
   */
  name(offset = 0): Uint8Array {
    const start = HEADER_BYTES + offset;
    const end = start <= this.#length ? this.#bytes.indexOf(0, start) : -1;
    if (end < 0 || end >= this.#length) throw new MalformedRequest("a name without an end");
    return this.#bytes.subarray(start, end);
  }

  /** The whole request as a copy that outlives the next read. */
  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  #need(end: number): void {
    if (end > this.bodyLength) throw new MalformedRequest(`${this.bodyLength} bytes, not ${end}`);
  }
}

/** A request that is not laid out as its opcode says. */
export class MalformedRequest extends Error {
  override readonly name = "MalformedRequest";
}
