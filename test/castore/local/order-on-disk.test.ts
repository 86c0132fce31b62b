/**
 * What is on disk by the time a blob is acknowledged. A power loss keeps of a folder what was in it when its last sync
 * began, so the calls that reach the system are recorded, and syncs of the outer folder take their time.
 */
import { type MakeDirectoryOptions, mkdirSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { putBlob } from "../../../src/castore/blob/service.js";
import { B3Digest } from "../../../src/castore/digest.js";
import { INLINE_BYTES_MAX } from "../../../src/castore/local/blob-record.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

interface Event {
  readonly what: "named" | "sync begun" | "sync ended" | "acknowledged";
  readonly path: string;
  /** What the name was before. */
  readonly from?: string;
  /** Which sync it is. */
  readonly sync?: number;
}

const SLOW_MS = 100;

const original = { ...fs };
let events: Event[] = [];

/** Records what reaches the system from now on. Syncs of `slowFolder` take {@link SLOW_MS}. */
function record(slowFolder: string): void {
  events = [];
  let syncs = 0;
  fs.mkdir = (async (path: string, options: MakeDirectoryOptions) => {
    const made = await original.mkdir(path, options);
    if (made !== undefined) events.push({ what: "named", path });
    return made;
  }) as typeof fs.mkdir;
  fs.rename = (async (from: string, to: string) => {
    await original.rename(from, to);
    events.push({ what: "named", path: to, from });
  }) as typeof fs.rename;
  fs.open = (async (path: string, ...rest: [string, number?]) => {
    const handle = await original.open(path, ...rest);
    for (const method of ["sync", "datasync"] as const) {
      const call = handle[method].bind(handle);
      handle[method] = async () => {
        const sync = syncs++;
        events.push({ what: "sync begun", path, sync });
        await call();
        if (path === slowFolder) await sleep(SLOW_MS);
        events.push({ what: "sync ended", path, sync });
      };
    }
    return handle;
  }) as typeof fs.open;
  syncBuiltinESMExports();
}

afterEach(() => {
  Object.assign(fs, original);
  syncBuiltinESMExports();
});

/** Contents whose blobs are files in the same folder. */
function neighbours(count: number): Buffer[] {
  const byFolder = new Map<string, Buffer[]>();
  for (let seed = 1; ; seed++) {
    const content = noise(INLINE_BYTES_MAX + 1, seed);
    const folder = B3Digest.of(content).hex.slice(0, 2);
    const found = [...(byFolder.get(folder) ?? []), content];
    if (found.length === count) return found;
    byFolder.set(folder, found);
  }
}

/** Whether a sync of `folder` began after `since` and had ended by `until`, which are places in the record. */
function wasSynced(folder: string, since: number, until: number): boolean {
  return events.some(({ what, path, sync }, at) => {
    if (what !== "sync begun" || path !== folder || at < since) return false;
    const end = events.findIndex((each) => each.what === "sync ended" && each.sync === sync);
    return end > at && end < until;
  });
}

it.each([
  ["both are the first in it", false],
  ["another process has just made it", true],
])("blobs are acknowledged when they and their folder are on disk: %s", async (_title, isThere) => {
  await using store = await LocalStore.open(join(temporaryFolder(), "store"));
  const { blobs } = store.layout;
  const contents = neighbours(2);
  const folder = store.layout.blobFolder(B3Digest.of(contents[0] as Buffer));
  if (isThere) mkdirSync(folder);
  record(blobs);
  await Promise.all(
    contents.map(async (content, index) => {
      await sleep(index * 20);
      const { digest } = await putBlob(store.blobs, content);
      events.push({ what: "acknowledged", path: store.layout.blobFile(digest) });
    }),
  );
  const made = events.findIndex(({ what, path }) => what === "named" && path === folder);
  for (const content of contents) {
    const file = store.layout.blobFile(B3Digest.of(content));
    const at = (what: Event["what"]) =>
      events.findIndex((each) => each.what === what && each.path === file);
    const { from = "" } = events[at("named")] as Event;
    expect(wasSynced(from, 0, at("named"))).toBe(true);
    expect(wasSynced(blobs, made, at("acknowledged"))).toBe(true);
    expect(wasSynced(dirname(file), at("named"), at("acknowledged"))).toBe(true);
  }
});
