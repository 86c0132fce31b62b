/**
 * BlobChunk { 1 data bytes }, the message that carries all content.
 */
import { WIRE_BYTES, WireReader } from "../base/protobuf.js";

const TAG_DATA = 8 + WIRE_BYTES;

/**
 * The message that holds `data`, for grpc-js: it asks for the length and then copies the message behind its own
 * header. Until then `data` must not change.
 */
export function encodeBlobChunk(data: Uint8Array): Buffer {
  return data.length === 0 ? Buffer.alloc(0) : (new WrappedChunk(data) as unknown as Buffer);
}

/** Calls `listener` when grpc-js has copied `message`, or at once where its memory is nobody's. */
export function onceCopied(message: unknown, listener: () => void): void {
  if (message instanceof WrappedChunk) message.onCopied = listener;
  else listener();
}

/** As much of a Buffer as grpc-js uses of what it sends. */
class WrappedChunk {
  readonly length: number;
  onCopied = (): void => {};
  readonly #header: readonly number[];
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#header = headerOf(data);
    this.#data = data;
    this.length = this.#header.length + data.length;
  }

  get byteLength(): number {
    return this.length;
  }

  copy(target: Buffer, at: number): void {
    target.set(this.#header, at);
    target.set(this.#data, at + this.#header.length);
    this.onCopied();
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
