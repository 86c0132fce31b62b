/**
 * The contents of the files of a tree, checked for their length.
 */
import { StoreError } from "../../base/errors.js";
import type {
  BlobReader,
  BlobService,
  CallOptions,
  StreamOptions,
} from "../../castore/blob/service.js";
import type { FileNode } from "../../castore/node.js";
import { describePlace, type Place } from "./walk.js";

/** A part of a file, in bytes. */
interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * The content of the file at `place`: exactly as many bytes as its node says, or those of `range`, which lies
 * within.
 *
 * @throws {StoreError} `dangling-reference` when the blob is missing, `corrupt` when it is not as long as the
 *   node says.
 */
export async function* readFile(
  place: Place,
  node: FileNode,
  blobs: BlobService,
  options: CallOptions & StreamOptions,
  range?: Range,
): AsyncGenerator<Uint8Array> {
  await using reader: BlobReader | undefined = await blobs.openRead(node.digest, options);
  if (reader === undefined) {
    throw new StoreError(
      "dangling-reference",
      `Blob ${node.digest}, ${describePlace(place)}, is missing from the store`,
    );
  }
  // Asked first where it is known, so that a blob which is too long is not fetched at all.
  if (reader.size !== undefined && BigInt(reader.size) !== node.size) {
    throw wrongLength(place, node, BigInt(reader.size));
  }
  const wanted = range === undefined ? node.size : BigInt(range.length);
  let restBytes = wanted;
  for await (const piece of reader.stream(isWhole(range, node) ? undefined : range, options)) {
    restBytes -= BigInt(piece.length);
    if (restBytes < 0n) break;
    yield piece;
  }
  // A part that is short or long says the same of the whole.
  if (restBytes !== 0n) throw wrongLength(place, node, node.size - restBytes);
}

/** A whole blob is checked against its digest. */
function isWhole(range: Range | undefined, node: FileNode): boolean {
  return range === undefined || BigInt(range.length) === node.size;
}

/** Says that the blob of the file at `place` has another length than its node. */
export function wrongLength(place: Place, node: FileNode, foundBytes: bigint): StoreError {
  return new StoreError(
    "corrupt",
    `Blob ${node.digest}, ${describePlace(place)}, has ${foundBytes} bytes, its node says ${node.size}`,
  );
}
