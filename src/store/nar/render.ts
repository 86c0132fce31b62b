/**
 * Renders content-addressed trees as NARs.
 */
import { setImmediate } from "node:timers/promises";
import { mapOrdered } from "../../base/concurrency.js";
import type { BlobService, CallOptions, StreamOptions } from "../../castore/blob/service.js";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { FileNode, Node } from "../../castore/node.js";
import { readFile, wrongLength } from "./file-content.js";
import { type Place, walkTree } from "./walk.js";
import { NarWriter, PIECE_BYTES } from "./writer.js";

/** After how many nodes others get their turn: what lies in the index is read without any waiting. */
const TURN_NODES = 64;
/** How many nodes beyond the current one are being fetched. */
const LOOK_AHEAD = 16;
/** Only blobs up to this size are fetched ahead: with {@link LOOK_AHEAD} it bounds the memory used. */
const LOOK_AHEAD_BLOB_BYTES = 128n * 1024n;
/** Blobs up to this size are taken from where they are when it is their turn, if that is at hand. */
const RESIDENT_BYTES = BigInt(PIECE_BYTES);

export interface RenderServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/**
 * The NAR of `node`, piece by piece. The pieces are the consumer's to keep, unless it says that it does not. Nothing
 * is checked before the first piece is pulled.
 *
 * @throws {StoreError} `dangling-reference` when a blob or directory is missing, `corrupt` when a blob is
 *   not as long as its node says, `limit-exceeded` when directories are nested too deeply.
 */
export async function* renderNar(
  node: Node,
  { blobs, directories }: RenderServices,
  options: CallOptions & StreamOptions = {},
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const writer = new NarWriter((bytes) => ready.push(bytes));
  let openDirectories = 0;
  let nodes = 0;
  const closeDownTo = (depth: number): void => {
    for (; openDirectories > depth; openDirectories--) {
      writer.endDirectory();
      if (openDirectories > 1) writer.endEntry();
    }
  };

  const places = walkTree(node, directories, options);
  const fetched = mapOrdered(places, LOOK_AHEAD, async (place) => ({
    place,
    content: await fetchSmall(place, blobs, { ...options, transient: false }),
  }));
  for await (const { place, content } of fetched) {
    if (++nodes % TURN_NODES === 0) await setImmediate();
    closeDownTo(place.depth);
    if (place.depth > 0) writer.startEntry(place.name);
    switch (place.node.type) {
      case "directory":
        writer.startDirectory();
        openDirectories++;
        break;
      case "symlink":
        writer.symlink(place.node.target);
        break;
      case "file":
        writer.startFile(place.node.size, place.node.executable);
        if (content !== undefined) {
          for (const piece of content) writer.write(piece);
        } else if (!writeResident(place, place.node, blobs, writer)) {
          for await (const piece of readFile(place, place.node, blobs, options)) {
            writer.write(piece);
            if (ready.length > 0) yield* ready.splice(0);
          }
        }
        writer.endFile();
        break;
    }
    if (place.depth > 0 && place.node.type !== "directory") writer.endEntry();
    // `yield*` of nothing is awaited as well, which takes a quarter of the time of small files.
    if (ready.length > 0) yield* ready.splice(0);
  }
  closeDownTo(0);
  writer.finish();
  yield* ready;
}

/** Writes the content of a file that is there without waiting; tells whether it was. */
function writeResident(
  place: Place,
  node: FileNode,
  blobs: BlobService,
  writer: NarWriter,
): boolean {
  if (node.size > RESIDENT_BYTES) return false;
  const content = blobs.getResident?.(node.digest);
  if (content === undefined) return false;
  if (BigInt(content.length) !== node.size) {
    throw wrongLength(place, node, BigInt(content.length));
  }
  writer.write(content, true);
  return true;
}

/** The pieces of a small file, `undefined` for anything else, and for what has not to be waited for. */
async function fetchSmall(
  place: Place,
  blobs: BlobService,
  options: CallOptions & StreamOptions,
): Promise<Uint8Array[] | undefined> {
  if (place.node.type !== "file" || place.node.size > LOOK_AHEAD_BLOB_BYTES) return undefined;
  if (place.node.size <= RESIDENT_BYTES && blobs.getResident !== undefined) return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of readFile(place, place.node, blobs, options)) pieces.push(piece);
  return pieces;
}
