/**
 * What happens to a store behind its back.
 */
import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { open } from "lmdb";
import { B3Digest } from "../../src/castore/digest.js";
import { StoreLayout } from "../../src/castore/local/layout.js";

/** Removes what a table of the index has under `digest`; fails when there is nothing. */
export async function removeRecord(
  storeFolder: string,
  table: "blobs" | "directories" | "path-infos",
  key: Uint8Array,
): Promise<void> {
  const environment = open({ path: join(storeFolder, "index"), noSubdir: false, maxDbs: 16 });
  try {
    const database = environment.openDB<Buffer, Buffer>({
      name: table,
      keyEncoding: "binary",
      encoding: "binary",
    });
    if (!database.removeSync(Buffer.from(key))) throw new Error(`${table} has no such record`);
  } finally {
    await environment.close();
  }
}

/** Removes the file of a large blob. */
export function removeBlobFile(storeFolder: string, content: Uint8Array): void {
  rmSync(blobFile(storeFolder, content));
}

/** Cuts the file of a large blob in half. */
export function halveBlobFile(storeFolder: string, content: Uint8Array): void {
  truncateSync(blobFile(storeFolder, content), content.length / 2);
}

function blobFile(storeFolder: string, content: Uint8Array): string {
  return new StoreLayout(storeFolder).blobFile(B3Digest.of(content));
}
