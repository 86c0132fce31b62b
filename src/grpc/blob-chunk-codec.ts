/**
 * BlobChunk { 1 data bytes }, the message that carries all content.
 */
import { WIRE_BYTES, WireReader } from "../base/protobuf.js";

const TAG_DATA = 8 + WIRE_BYTES;

/** The message that holds `data`, with one copy. */
export function encodeBlobChunk(data: Uint8Array): Buffer {
  if (data.length === 0) return Buffer.alloc(0);
  const header = headerOf(data);
  const message = Buffer.allocUnsafe(header.length + data.length);
  message.set(header);
  message.set(data, header.length);
  return message;
}

/**
 * As {@link encodeBlobChunk} without a copy, for grpc-js and for content that nobody changes: it asks for
 * the length and then copies the message behind its own header.
 */
export function wrapBlobChunk(data: Uint8Array): Buffer {
  return data.length === 0 ? Buffer.alloc(0) : (new WrappedChunk(data) as unknown as Buffer);
}

/** As much of a Buffer as grpc-js uses of what it sends. */
class WrappedChunk {
  readonly byteLength: number;
  readonly #header: readonly number[];
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#header = headerOf(data);
    this.#data = data;
    this.byteLength = this.#header.length + data.length;
  }

  copy(target: Buffer, at: number): void {
    target.set(this.#header, at);
    target.set(this.#data, at + this.#header.length);
  }
}

function headerOf({ length }: Uint8Array): number[] {
  const header = [TAG_DATA];
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) header.push((rest & 0x7f) | 0x80);
  header.push(rest);
  return header;
}

/**
 * The data in a message, on its memory.
 *
 * @throws {StoreError} `invalid-argument` when it does not decode.
 */
export function decodeBlobChunk(message: Uint8Array): Uint8Array {
  const reader = new WireReader(message);
  let data: Uint8Array = message.subarray(0, 0);
  while (reader.next()) {
    if (reader.field === 1) data = reader.content();
    else reader.skip();
  }
  return data;
}
