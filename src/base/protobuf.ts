/**
 * The part of the Protocol Buffers wire format our messages use: varints and length-delimited fields.
 *
 *   message := { tag value }      tag := varint(field << 3 | wire type)
 *   wire types: 0 varint · 1 eight bytes · 2 varint length, bytes · 5 four bytes
 *
 * Digests depend on these bytes, so the writer is canonical by construction: the caller writes fields in
 * ascending order, default values are left out, varints are minimal. The reader accepts what other
 * writers may send and remembers whether it was written the canonical way.
 */
import { StoreError } from "./errors.js";

export const WIRE_VARINT = 0;
export const WIRE_BYTES = 2;

const U64_MAX = 2n ** 64n - 1n;
/** What the eighth byte of a varint counts: with more, the value cannot be a safe integer. */
const MAX_SCALE = 2 ** 49;

/** Reads one message, or a part of one, out of `bytes`. Offsets are absolute in `bytes`. */
export class WireReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;
  /** False once a varint was longer than needed or a field was skipped. */
  canonical = true;
  field = 0;
  wireType = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const tag = this.varint();
    if (tag > 0xffff_ffff) throw malformed(`field number too large at byte ${this.position}`);
    this.wireType = tag % 8;
    this.field = (tag - this.wireType) / 8;
    if (this.field === 0) throw malformed(`field number 0 at byte ${this.position}`);
    return true;
  }

  /** A varint as a number; values of 2^53 and more are refused (use {@link u64}). */
  varint(): number {
    // Without a bigint: decoding a folder of 10,000 files would make 80,000 of them.
    let byte = this.#byte();
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      if (scale > MAX_SCALE) throw malformed(`varint too large at byte ${this.position}`);
      byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte === 0) this.canonical = false;
    }
    if (value > Number.MAX_SAFE_INTEGER) {
      throw malformed(`varint too large at byte ${this.position}`);
    }
    return value;
  }

  u64(): bigint {
    const start = this.position;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) this.canonical = false;
        if (value > U64_MAX) throw malformed(`varint exceeds 64 bits at byte ${start}`);
        return value;
      }
    }
    throw malformed(`varint longer than ten bytes at byte ${start}`);
  }

  /** The length of a length-delimited field; its content starts at {@link position} and fits. */
  length(): number {
    if (this.wireType !== WIRE_BYTES) throw this.#wrongType("length-delimited");
    const length = this.varint();
    if (length > this.end - this.position) {
      throw malformed(
        `field ${this.field} at byte ${this.position} claims ${length} bytes, ${this.end - this.position} are left`,
      );
    }
    return length;
  }

  /** The content of a length-delimited field, on the reader's memory. */
  content(): Uint8Array {
    const length = this.length();
    const content = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return content;
  }

  /** The value of a varint field. */
  uint(): bigint {
    if (this.wireType !== WIRE_VARINT) throw this.#wrongType("varint");
    return this.u64();
  }

  /** As {@link uint}, but a number where it surely fits one: below 2^49. */
  uintOrNumber(): bigint | number {
    if (this.wireType === WIRE_VARINT) {
      for (let at = this.position; at < this.position + 7; at++) {
        if ((this.bytes[at] as number) < 0x80) return this.varint();
      }
    }
    return this.uint();
  }

  /** Passes over a field that this version does not know. */
  skip(): void {
    this.canonical = false;
    switch (this.wireType) {
      case WIRE_VARINT:
        this.u64();
        return;
      case 1:
        this.#advance(8);
        return;
      case WIRE_BYTES:
        this.#advance(this.length());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw malformed(`wire type ${this.wireType} of field ${this.field} is not in use`);
    }
  }

  #advance(count: number): void {
    if (count > this.end - this.position) throw malformed("message ends inside a field");
    this.position += count;
  }

  #byte(): number {
    if (this.position >= this.end) throw malformed("message ends inside a varint");
    return this.bytes[this.position++] as number;
  }

  #wrongType(wanted: string): StoreError {
    return malformed(
      `field ${this.field} has wire type ${this.wireType} where ${wanted} is expected`,
    );
  }
}

/** Builds one message in a growing buffer. */
export class WireWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacityBytes = 128) {
    this.#buffer = Buffer.allocUnsafe(capacityBytes);
  }

  /** A length-delimited field; left out when empty, unless it is an element of a repeated field. */
  bytes(field: number, value: Uint8Array, repeated = false): void {
    if (value.length === 0 && !repeated) return;
    this.#varint(BigInt(field * 8 + WIRE_BYTES));
    this.#varint(BigInt(value.length));
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  string(field: number, value: string, repeated = false): void {
    this.bytes(field, Buffer.from(value), repeated);
  }

  /** A varint field; left out when 0. */
  uint(field: number, value: bigint): void {
    if (value === 0n) return;
    this.#varint(BigInt(field * 8 + WIRE_VARINT));
    this.#varint(value);
  }

  /** A bool field; left out when false. */
  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1n : 0n);
  }

  /** The message written so far, as a copy of its own. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  #varint(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7fn) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

function malformed(what: string): StoreError {
  return new StoreError("invalid-argument", `Malformed protobuf message: ${what}`);
}
