/**
 * The outline of zstd content, RFC 8878: which bytes make a frame and its blocks, not what they mean.
 *
 *     content    = { frame | skippable }
 *     frame      = magic(4) descriptor(1) [window(1)] [dictionary id] [content size] block { block } [checksum(4)]
 *     block      = header(3): last(1 bit) type(2 bits) size(21 bits), then its bytes
 *     skippable  = magic(4) size(4) bytes
 */
import { asBuffer } from "../bytes.js";

export const MAGIC = 0xfd2fb528;
export const SKIPPABLE_MAGIC = 0x184d2a50;
export const SKIPPABLE_MASK = 0xfffffff0;

export const CHECKSUM_BYTES = 4;
export const BLOCK_HEADER_BYTES = 3;
/** How much a block may hold, compressed or not. */
export const BLOCK_BYTES_MAX = 128 * 1024;

export interface FrameHeader {
  /** With the magic. */
  readonly headerBytes: number;
  /** How far back the frame may refer: what a decoder has to keep. */
  readonly windowBytes: bigint;
  readonly hasChecksum: boolean;
  readonly hasDictionary: boolean;
}

export interface BlockHeader {
  readonly isLast: boolean;
  /** How many bytes follow the header. */
  readonly bodyBytes: number;
}

/** How long a frame's header is, by its descriptor: the byte after the magic. */
export function frameHeaderBytes(descriptor: number): number {
  return 5 + (isSingle(descriptor) ? 0 : 1) + dictionaryBytes(descriptor) + sizeBytes(descriptor);
}

/** Reads a frame's header, which has to be there in full; `undefined` when it is of no known kind. */
export function parseFrameHeader(header: Uint8Array): FrameHeader | undefined {
  const bytes = asBuffer(header);
  const descriptor = bytes.readUInt8(4);
  if ((descriptor & 0x08) !== 0) return undefined;
  const headerBytes = frameHeaderBytes(descriptor);
  return {
    headerBytes,
    windowBytes: isSingle(descriptor)
      ? contentSize(bytes.subarray(headerBytes - sizeBytes(descriptor), headerBytes))
      : windowSize(bytes.readUInt8(5)),
    hasChecksum: (descriptor & 0x04) !== 0,
    hasDictionary: dictionaryBytes(descriptor) > 0,
  };
}

/** Reads a block's header; `undefined` when there is no such block. */
export function parseBlockHeader(header: Uint8Array): BlockHeader | undefined {
  const bits = asBuffer(header).readUIntLE(0, BLOCK_HEADER_BYTES);
  const size = bits >> 3;
  const type = (bits >> 1) & 3;
  if (type === 3 || size > BLOCK_BYTES_MAX) return undefined;
  // Type 1 is one byte, repeated.
  return { isLast: (bits & 1) === 1, bodyBytes: type === 1 ? 1 : size };
}

/** Whether the frame is one segment, and its window the whole content. */
function isSingle(descriptor: number): boolean {
  return (descriptor & 0x20) !== 0;
}

function dictionaryBytes(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3] as number;
}

function sizeBytes(descriptor: number): number {
  const flag = descriptor >> 6;
  return flag === 0 ? (isSingle(descriptor) ? 1 : 0) : 1 << flag;
}

function contentSize(field: Buffer): bigint {
  if (field.length === 8) return field.readBigUInt64LE();
  const size = field.readUIntLE(0, field.length);
  return BigInt(field.length === 2 ? size + 256 : size);
}

function windowSize(descriptor: number): bigint {
  const base = 1n << BigInt(10 + (descriptor >> 3));
  return base + (base / 8n) * BigInt(descriptor & 7);
}
