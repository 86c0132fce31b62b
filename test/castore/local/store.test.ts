import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { open } from "lmdb";
import { afterEach, describe, expect, it } from "vitest";
import { type BlobReader, getBlob, putBlob } from "../../../src/castore/blob/service.js";
import { B3Digest } from "../../../src/castore/digest.js";
import { GATHERED_BYTES_MAX, GATHERED_MAX } from "../../../src/castore/local/blob-files.js";
import { encodeInline, INLINE_BYTES_MAX } from "../../../src/castore/local/blob-record.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { bytes, noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";
import { DIRECTORY } from "../../vectors/directories.js";

const base = temporaryFolder();
const DAY_MS = 24 * 60 * 60 * 1000;
const opened: LocalStore[] = [];
let count = 0;

async function openStore(folder = join(base, String(count++))): Promise<LocalStore> {
  const store = await LocalStore.open(folder);
  opened.push(store);
  return store;
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** Writes into the index behind the services' back. */
async function overwrite(store: LocalStore, table: string, digest: B3Digest, value: Uint8Array) {
  await store.index.commit(() => store.index.table(table).put(digest.bytes, value), 0);
}

describe("The stream of a large blob", () => {
  const content = noise(5_500_000);

  it("fails where it is read when the disk fails while nobody waits for it", async () => {
    const folder = join(base, String(count++));
    const store = await openStore(folder);
    const { digest } = await putBlob(store.blobs, content);
    await using reader = (await store.blobs.openRead(digest)) as BlobReader;
    const { hex } = digest;
    const file = join(folder, "blobs", hex.slice(0, 2), hex.slice(2));
    const slow = async () => {
      // What is read ahead fails meanwhile; that nobody heard of it would end this process.
      for await (const _ of reader.stream()) {
        await truncate(file, 1_500_000);
        await sleep(50);
      }
    };
    await expect(slow()).rejects.toMatchObject({ code: "corrupt" });
  });

  it("uses memory again for a caller that keeps no pieces", async () => {
    const store = await openStore();
    const { digest } = await putBlob(store.blobs, content);
    await using reader = await store.blobs.openRead(digest);
    const memory = new Set<ArrayBufferLike>();
    let at = 0;
    for await (const piece of reader?.stream(undefined, { transient: true }) ?? []) {
      // Whoever is slow must not see the next piece arrive in this one.
      await sleep(20);
      expect(content.subarray(at, at + piece.length).equals(piece)).toBe(true);
      at += piece.length;
      memory.add(piece.buffer);
    }
    expect(at).toBe(content.length);
    expect(memory.size).toBe(3);
  });

  it("leaves pieces alone that the caller may keep", async () => {
    const store = await openStore();
    const { digest } = await putBlob(store.blobs, content);
    await using reader = await store.blobs.openRead(digest);
    const pieces: Uint8Array[] = [];
    for await (const piece of reader?.stream() ?? []) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
  });
});

describe("the store directory", () => {
  it("has the documented layout", async () => {
    const store = await openStore();
    const large = await putBlob(store.blobs, noise(INLINE_BYTES_MAX + 1));
    const { root } = store.layout;
    expect(readdirSync(root).sort()).toEqual(["FORMAT", "blobs", "index", "tmp"]);
    expect(await readFile(join(root, "FORMAT"), "utf8")).toBe("tvix-store 1\n");
    const { hex } = large.digest;
    const file = join(root, "blobs", hex.slice(0, 2), hex.slice(2));
    expect(statSync(file).size).toBe(INLINE_BYTES_MAX + 1);
    expect(statSync(file).mode & 0o7777).toBe(0o444);
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
  });

  it("keeps blobs up to the limit in the index", async () => {
    const store = await openStore();
    await putBlob(store.blobs, noise(INLINE_BYTES_MAX));
    expect(readdirSync(store.layout.blobs)).toEqual([]);
  });

  it("is refused in another version, saying what to do", async () => {
    const folder = join(base, "future");
    await mkdir(folder);
    await writeFile(join(folder, "FORMAT"), "tvix-store 2\n");
    for (const how of ["open", "openExisting"] as const) {
      await expect(LocalStore[how](folder)).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringMatching(/format "tvix-store 2".*reads "tvix-store 1".*--store-dir/s),
      });
    }
  });

  it("is not made where something else lies", async () => {
    const folder = join(base, "occupied");
    await mkdir(folder);
    await writeFile(join(folder, "thesis.tex"), "");
    await expect(LocalStore.open(folder)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("thesis.tex"),
    });
    expect(readdirSync(folder)).toEqual(["thesis.tex"]);
  });

  it("is completed when its making was interrupted", async () => {
    const folder = join(base, "half");
    await mkdir(join(folder, "index"), { recursive: true });
    const store = await openStore(folder);
    const { digest } = await putBlob(store.blobs, bytes("x"));
    expect(await store.blobs.has(digest)).toBe(true);
  });

  it("waits for the disk once for all tables of its index, and not when it is opened again", async () => {
    const folder = join(base, "commits");
    for (let turn = 0; turn < 2; turn++) {
      const store = await openStore(folder);
      await store.close();
      const environment = open({ path: store.layout.index, noSubdir: false });
      const { lastTxnId, entryCount } = environment.getStats() as Record<string, unknown>;
      await environment.close();
      expect({ lastTxnId, entryCount }).toEqual({ lastTxnId: 1, entryCount: 9 });
    }
  });

  it("is made by many at once", async () => {
    const folder = join(base, "race");
    await Promise.all(Array.from({ length: 8 }, () => openStore(folder)));
  });

  it("is not made by who only wants to look", async () => {
    const folder = join(base, "nowhere");
    await expect(LocalStore.openExisting(folder)).rejects.toMatchObject({ code: "not-found" });
    expect(existsSync(folder)).toBe(false);
  });
});

describe("damage", () => {
  const large = noise(INLINE_BYTES_MAX * 3);

  it.each([
    ["with other content", encodeInline(bytes("evil"))],
    ["with a malformed record", bytes("\x07good")],
  ])("in a small blob %s is found, and healed by storing it again", async (_title, record) => {
    const store = await openStore();
    const { digest } = await putBlob(store.blobs, bytes("good"));
    await overwrite(store, "blobs", digest, record);
    await expect(getBlob(store.blobs, digest)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(digest.toString()),
    });
    await putBlob(store.blobs, bytes("good"));
    expect(Buffer.from((await getBlob(store.blobs, digest)) ?? [])).toEqual(bytes("good"));
  });

  it("in a large blob is found before its last piece is handed out", async () => {
    const store = await openStore();
    const { digest } = await putBlob(store.blobs, large);
    const file = store.layout.blobFile(digest);
    const evil = Buffer.from(large);
    evil[100] = (evil[100] as number) ^ 1;
    await writeFile(file, evil, { mode: 0o644 });
    await using reader = await store.blobs.openRead(digest);
    const parts: Uint8Array[] = [];
    const read = async () => {
      for await (const part of reader?.stream() ?? []) parts.push(part);
    };
    await expect(read()).rejects.toMatchObject({ code: "corrupt" });
    expect(Buffer.concat(parts).length).toBeLessThan(large.length);
  });

  it.each([
    ["cut short", (file: string) => truncate(file, 10), "corrupt"],
    ["gone", (file: string) => rm(file), "dangling-reference"],
  ])("is found when the file of a large blob is %s", async (_title, harm, code) => {
    const store = await openStore();
    const { digest } = await putBlob(store.blobs, large);
    await harm(store.layout.blobFile(digest));
    expect(await store.blobs.has(digest)).toBe(false);
    await expect(store.blobs.openRead(digest)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(digest.toString()),
    });
    await putBlob(store.blobs, large);
    expect(large.equals((await getBlob(store.blobs, digest)) as Buffer)).toBe(true);
  });

  it.each([
    ["another directory", DIRECTORY.b.bytes],
    ["no directory at all", bytes("\xff\xff")],
  ])("is found when a directory is replaced by %s", async (_title, value) => {
    const store = await openStore();
    const digest = await store.directories.put(DIRECTORY.withKeep);
    await overwrite(store, "directories", digest, value);
    await expect(store.directories.get(digest)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(digest.toString()),
    });
    await store.directories.put(DIRECTORY.withKeep);
    expect((await store.directories.get(digest))?.digest.hex).toBe(digest.hex);
  });
});

describe("blobs of medium size", () => {
  const size = INLINE_BYTES_MAX * 3;

  it.each([
    INLINE_BYTES_MAX + 1,
    GATHERED_BYTES_MAX,
    GATHERED_BYTES_MAX + 1,
    GATHERED_BYTES_MAX * 2,
  ])("are stored as they are: %i bytes, in pieces", async (length) => {
    const store = await openStore();
    const content = noise(length);
    await using writer = await store.blobs.openWrite();
    for (let at = 0; at < length; at += 50_000)
      await writer.write(content.subarray(at, at + 50_000));
    const { digest } = await writer.close();
    expect(digest.isOf(content)).toBe(true);
    expect(content.equals(await readFile(store.layout.blobFile(digest)))).toBe(true);
    expect(readdirSync(store.layout.tmp)).toEqual([]);
  });

  it("keep apart when more are written at the same time than there is memory for", async () => {
    const store = await openStore();
    for (let turn = 0; turn < 3; turn++) {
      const contents = Array.from({ length: GATHERED_MAX * 3 }, (_, index) => {
        return noise(size + index, turn * 100 + index);
      });
      const writers = await Promise.all(contents.map(() => store.blobs.openWrite()));
      for (let at = 0; at < size + contents.length; at += 40_000) {
        await Promise.all(
          writers.map((writer, index) =>
            writer.write((contents[index] as Buffer).subarray(at, at + 40_000)),
          ),
        );
      }
      const blobs = await Promise.all(writers.map((writer) => writer.close()));
      for (const [index, { digest }] of blobs.entries()) {
        const content = contents[index] as Buffer;
        expect(digest.isOf(content)).toBe(true);
        expect(content.equals(await readFile(store.layout.blobFile(digest)))).toBe(true);
      }
    }
  });

  it("are not written when they are there", async () => {
    const store = await openStore();
    await putBlob(store.blobs, noise(size));
    await rm(store.layout.tmp, { recursive: true });
    await putBlob(store.blobs, noise(size));
    await expect(putBlob(store.blobs, noise(size, 2))).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("Cannot write a blob into the store: ENOENT"),
    });
  });

  it("take no memory any more once they are stored, refused or given up", async () => {
    const store = await openStore();
    const gathers = async () => {
      await using writer = await store.blobs.openWrite();
      await writer.write(noise(size));
      return readdirSync(store.layout.tmp).length === 0;
    };
    for (let count = 0; count < GATHERED_MAX * 2; count++) expect(await gathers()).toBe(true);
    for (let count = 0; count < GATHERED_MAX * 2; count++) {
      await putBlob(store.blobs, noise(size, count));
    }
    await rm(store.layout.tmp, { recursive: true });
    for (let count = 0; count < GATHERED_MAX * 2; count++) {
      await expect(putBlob(store.blobs, noise(size, 1000 + count))).rejects.toThrow("ENOENT");
    }
    await mkdir(store.layout.tmp);
    expect(await gathers()).toBe(true);
  });
});

describe("abandoned uploads", () => {
  it("leave no file when the writer is disposed of", async () => {
    const store = await openStore();
    const writer = await store.blobs.openWrite();
    await writer.write(noise(GATHERED_BYTES_MAX + 1));
    expect(readdirSync(store.layout.tmp)).toHaveLength(1);
    await writer[Symbol.asyncDispose]();
    expect(readdirSync(store.layout.tmp)).toEqual([]);
  });

  it.each([INLINE_BYTES_MAX, GATHERED_BYTES_MAX, GATHERED_BYTES_MAX + 1])(
    "become no blob when the writer is closed after all: %i bytes",
    async (size) => {
      const store = await openStore();
      const writer = await store.blobs.openWrite();
      await writer.write(noise(size));
      await writer[Symbol.asyncDispose]();
      await expect(writer.close()).rejects.toMatchObject({ code: "invalid-argument" });
      await expect(writer.write(noise(1))).rejects.toMatchObject({ code: "invalid-argument" });
      expect(await store.blobs.has(B3Digest.of(noise(size)))).toBe(false);
      expect(readdirSync(store.layout.blobs)).toEqual([]);
    },
  );

  it("keep nobody from opening the store when they cannot be removed", async () => {
    const { layout } = await openStore();
    const folder = join(layout.tmp, "4194000.123.not-even-a-file");
    await mkdir(folder);
    await utimes(folder, new Date(0), new Date(0));
    await openStore(layout.root);
    expect(existsSync(folder)).toBe(true);
  });

  it("are swept when they are older than a day and their process is gone", async () => {
    const store = await openStore();
    const old = new Date(Date.now() - DAY_MS - 60_000);
    const young = new Date(Date.now() - DAY_MS + 60_000);
    const own = await store.blobs.openWrite();
    await own.write(noise(GATHERED_BYTES_MAX + 1));
    const [mine] = readdirSync(store.layout.tmp) as [string];
    const files: [string, Date][] = [
      ["4194000.123.dead-and-old", old],
      ["4194000.123.dead-and-young", young],
      // The number of this process, but of an earlier one that had it.
      [`${process.pid}.1.recycled`, old],
      [mine, old],
    ];
    for (const [name, time] of files) {
      const path = join(store.layout.tmp, name);
      if (name !== mine) await writeFile(path, "");
      await utimes(path, time, time);
    }
    await openStore(store.layout.root);
    expect(readdirSync(store.layout.tmp).sort()).toEqual(
      ["4194000.123.dead-and-young", mine].sort(),
    );
    await own[Symbol.asyncDispose]();
  });
});

describe("holes", () => {
  it("take no space in the file of a blob and read as zeros", async () => {
    const store = await openStore();
    const content = Buffer.concat([
      noise(100_000),
      Buffer.alloc(8_000_000),
      noise(10),
      Buffer.alloc(200_000),
    ]);
    await using writer = await store.blobs.openWrite();
    for (let at = 0; at < content.length; at += 1_048_576) {
      await writer.write(content.subarray(at, at + 1_048_576));
    }
    const { digest } = await writer.close();
    expect(content.equals((await getBlob(store.blobs, digest)) as Buffer)).toBe(true);
    expect(statSync(store.layout.blobFile(digest)).blocks * 512).toBeLessThan(3_000_000);
  });
});
