/**
 * BlobChunk { 1 data bytes }, the message that carries all content.
 */
import { WIRE_BYTES, WireReader } from "../base/protobuf.js";

const TAG_DATA = 8 + WIRE_BYTES;

/** The message that holds `data`, with one copy. */
export function encodeBlobChunk(data: Uint8Array): Buffer {
  if (data.length === 0) return Buffer.alloc(0);
  const header = [TAG_DATA];
  let rest = data.length;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) header.push((rest & 0x7f) | 0x80);
  header.push(rest);
  const message = Buffer.allocUnsafe(header.length + data.length);
  message.set(header);
  message.set(data, header.length);
  return message;
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
