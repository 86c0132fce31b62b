/**
 * What the index of a local store keeps of NARs, so that one seen once is neither unpacked nor rendered again:
 *
 *   NarRecord     { 1 Node · 2 NAR size u64 }            what a NAR hash stands for
 *   NarHashRecord { 1 NAR SHA-256 · 2 NAR size u64 }     the NAR of a node
 */
import { StoreError } from "../base/errors.js";
import { WireReader, WireWriter } from "../base/protobuf.js";
import type { Node } from "../castore/node.js";
import { decodeNode, encodeNode } from "../castore/node-codec.js";
import type { NarHash } from "./nar/hasher.js";
import { NAR_SHA256_BYTES } from "./path-info.js";

const NO_NAME = new Uint8Array(0);

/** The content of a NAR. */
export interface NarRecord {
  readonly node: Node;
  /** Length of the NAR in bytes. */
  readonly narSize: bigint;
}

export function encodeNarRecord({ node, narSize }: NarRecord): Buffer {
  return encode(encodeNode(NO_NAME, node), narSize);
}

/** @throws {StoreError} `invalid-argument` when `bytes` are no record. The node lies on `bytes`. */
export function decodeNarRecord(bytes: Uint8Array): NarRecord {
  const { content, size } = decode(bytes);
  const root = decodeNode(content);
  if (root === undefined) throw malformed("there is no node");
  return { node: root.node, narSize: size };
}

export function encodeNarHash({ narSha256, narSize }: NarHash): Buffer {
  return encode(narSha256, narSize);
}

/** @throws {StoreError} `invalid-argument` when `bytes` are no record. The hash lies on `bytes`. */
export function decodeNarHash(bytes: Uint8Array): NarHash {
  const { content, size } = decode(bytes);
  if (content.length !== NAR_SHA256_BYTES) throw malformed(`a hash of ${content.length} bytes`);
  return { narSha256: content, narSize: size };
}

function encode(content: Uint8Array, size: bigint): Buffer {
  const writer = new WireWriter();
  writer.bytes(1, content, true);
  writer.uint(2, size);
  return writer.finish();
}

function decode(bytes: Uint8Array): { content: Uint8Array; size: bigint } {
  const reader = new WireReader(bytes);
  let content: Uint8Array | undefined;
  let size = 0n;
  while (reader.next()) {
    if (reader.field === 1) content = reader.content();
    else if (reader.field === 2) size = reader.uint();
    else reader.skip();
  }
  if (content === undefined) throw malformed("it is empty");
  return { content, size };
}

function malformed(reason: string): StoreError {
  return new StoreError("invalid-argument", `Invalid record of a NAR: ${reason}`);
}
