/**
 * Values of the `nars` table: what a NAR hash stands for, so that a NAR seen once is never unpacked again.
 *
 *   NarRecord { 1 Node · 2 NAR size u64 }
 */
import { WireWriter } from "../base/protobuf.js";
import type { Node } from "../castore/node.js";
import { encodeNode } from "../castore/node-codec.js";

const NO_NAME = new Uint8Array(0);

export function encodeNarRecord(node: Node, narSize: bigint): Buffer {
  const writer = new WireWriter();
  writer.bytes(1, encodeNode(NO_NAME, node), true);
  writer.uint(2, narSize);
  return writer.finish();
}
