/**
 * Store paths that would take an import long to make, written into a store by hand.
 */
import { putBlob } from "../../../src/castore/blob/service.js";
import { B3Digest } from "../../../src/castore/digest.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import type { Node } from "../../../src/castore/node.js";
import { LocalPathInfoService } from "../../../src/store/path-info/local.js";
import { StorePath } from "../../../src/store/store-path.js";

/** The name of entry `index` of a wide folder, in byte order. */
export function entryName(index: number): string {
  return `entry-${String(index).padStart(6, "0")}`;
}

/** Adds a store path with one folder, `wide`, of `count` files that hold "x"; its base name. */
export async function addWideFolder(storeFolder: string, count: number): Promise<string> {
  await using store = await LocalStore.open(storeFolder);
  const { digest, size } = await putBlob(store.blobs, Buffer.from("x"));
  const file: Node = { type: "file", digest, size: BigInt(size), executable: false };
  const folder = (entries: readonly (readonly [string, Node])[]) =>
    directoryFrom(entries.map(([name, node]) => ({ name: Buffer.from(name), node })));
  const wide = folder(Array.from({ length: count }, (_, index) => [entryName(index), file]));
  const root = folder([["wide", { type: "directory", digest: wide.digest, size: wide.size }]]);
  for (const directory of [wide, root]) await store.directories.put(directory);
  return await addRoot(store, "wide", {
    type: "directory",
    digest: root.digest,
    size: root.size,
  });
}

async function addRoot(store: LocalStore, name: string, node: Node): Promise<string> {
  const hash = B3Digest.of(Buffer.from(name)).bytes;
  const storePath = StorePath.from(hash.subarray(0, 20), name);
  await new LocalPathInfoService(store.index).put({
    storePath,
    node,
    references: [],
    narSize: 0n,
    narSha256: hash,
    signatures: [],
  });
  return storePath.basename;
}
