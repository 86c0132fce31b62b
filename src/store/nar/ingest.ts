/**
 * From a NAR to a node in the castore, in one pass: what arrives is parsed, stored and hashed, and kept
 * nowhere else.
 */
import { abortable } from "../../base/abortable.js";
import { type BlobWriter, SMALL_BYTES_MAX, type StoredBlob } from "../../castore/blob/service.js";
import type { Node } from "../../castore/node.js";
import { type TreeSink, TreeUpload } from "../../castore/tree-upload.js";
import type { NarFile, NarItem, NarReaderOptions } from "./grammar.js";
import { HashedNar } from "./hashed-nar.js";
import type { NarHash } from "./hasher.js";
import { NarReader } from "./reader.js";

/** What a tree was stored as. */
export interface IngestedTree extends NarHash {
  readonly node: Node;
}

export interface NarIngestOptions extends NarReaderOptions {
  readonly signal?: AbortSignal;
  /** Told of each file that is durable, with the offset of its contents in the NAR. */
  readonly onFile?: (offset: number, blob: StoredBlob) => void;
}

/**
 * Stores the tree of the NAR that `source` gives, in chunks of any size that do not change until 512 KiB more
 * have come. When it resolves, all of the tree is as durable as the targets make it; whether it has the right
 * hash is for the caller to judge. When it fails, `source` has been let go of; some blobs and directories may
 * stay, with nothing that refers to them.
 *
 * @throws {StoreError} `invalid-argument` for a malformed NAR, as `NarReader`; `aborted` when the signal
 *   fires; and whatever the source or the targets throw.
 */
export async function ingestNar(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  targets: TreeSink,
  options: NarIngestOptions = {},
): Promise<IngestedTree> {
  const { signal, onFile } = options;
  const nar = new HashedNar(abortable(source, signal));
  const tree = new TreeUpload(targets, signal === undefined ? {} : { signal });
  try {
    await using reader = new NarReader(nar, options);
    for (;;) {
      const item = reader.nextIfHere() ?? (await reader.next());
      if (item === undefined) break;
      if (tree.isBusy) await tree.ready();
      // Each wait is one for everything else that waits its turn.
      const storing = store(item, tree, reader, onFile);
      if (storing !== undefined) await storing;
    }
    const node = await tree.finish();
    return { node, ...nar.finish() };
  } finally {
    await tree.settle();
  }
}

function store(
  item: NarItem,
  tree: TreeUpload,
  reader: NarReader,
  onFile: NarIngestOptions["onFile"],
): Promise<void> | undefined {
  switch (item.type) {
    case "directory":
      tree.startDirectory(item.name);
      return undefined;
    case "directory-end":
      tree.endDirectory();
      return undefined;
    case "symlink":
      tree.symlink(item.name, item.target);
      return undefined;
    case "file":
      return storeFile(item, tree, reader, (blob) => onFile?.(item.offset, blob));
  }
}

function storeFile(
  { name, executable, size }: NarFile,
  tree: TreeUpload,
  reader: NarReader,
  onStored: (blob: StoredBlob) => void,
): Promise<void> | undefined {
  if (tree.takesSmallFiles && size <= SMALL_BYTES_MAX) {
    const contents = reader.wholeIfHere();
    if (contents !== undefined) {
      tree.smallFile(name, executable, contents, onStored);
      return undefined;
    }
  }
  return tree.file(name, executable, (writer) => copyContents(reader, writer), onStored);
}

/** Gets each piece while the one before is written. */
async function copyContents(reader: NarReader, writer: BlobWriter): Promise<void> {
  let written = Promise.resolve();
  try {
    for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
      await written;
      written = writer.write(piece);
      // It may fail while nobody waits for it.
      written.catch(() => {});
    }
  } finally {
    await written;
  }
}
