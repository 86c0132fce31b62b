import { fstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import type { BackingCalls } from "../../../src/fuse/kernel/backing-calls.js";
import { BackingFiles } from "../../../src/fuse/kernel/backing-files.js";
import {
  NoOpenFiles,
  openFilesFor,
  PassthroughFiles,
} from "../../../src/fuse/kernel/open-files.js";
import { FEATURE } from "../../../src/fuse/protocol/init.js";
import { FuseReply } from "../../../src/fuse/protocol/reply.js";
import { temporaryFolder } from "../../support/temp.js";
import { unpack } from "../protocol/support/layouts.js";
import { MemoryFileSystem } from "../support/memory-file-system.mjs";
import { connectionWith } from "./support/conversation.js";

const DEVICE = -1;
const KEEP_CACHE = 1n << 1n;
const NO_FLUSH = 1n << 5n;
const PASSTHROUGH = 1n << 7n;
const DIRECT_IO = 1n;

const file = join(temporaryFolder(), "backing");
writeFileSync(file, "content");

/** Inodes above 100 have a file of their own. */
class SomeBacked extends MemoryFileSystem {
  override backingFile(inode: number): string | undefined {
    return inode > 100 ? file : undefined;
  }
}

/** The kernel's side of passthrough: numbers what is registered. */
class FakeCalls implements BackingCalls {
  readonly registered = new Set<number>();
  readonly descriptors: number[] = [];
  failure: StoreError | undefined;
  #next = 1;

  open(_device: number, descriptor: number): number {
    if (this.failure !== undefined) throw this.failure;
    expect(fstatSync(descriptor).size).toBe(7);
    this.descriptors.push(descriptor);
    this.registered.add(this.#next);
    return this.#next++;
  }

  close(_device: number, id: number): void {
    expect(this.registered.delete(id)).toBe(true);
  }
}

function setUp() {
  const calls = new FakeCalls();
  const files = new PassthroughFiles(
    new SomeBacked([]),
    new BackingFiles(DEVICE, undefined, calls),
  );
  const open = (inode: number) => {
    const reply = new FuseReply(4096);
    reply.clear();
    files.open(inode, reply);
    return unpack("fuse_open_out", reply.bytes.subarray(16, reply.length));
  };
  return { calls, files, open };
}

describe("NoOpenFiles", () => {
  test("has the kernel open by itself where it can, else keep its cache", () => {
    const reply = new FuseReply(4096);
    reply.clear();
    const sticky = new NoOpenFiles(connectionWith(FEATURE.noOpen));
    expect(() => sticky.open(5, reply)).toThrow(expect.objectContaining({ errno: 38 }));
    new NoOpenFiles(connectionWith(0n)).open(5, reply);
    const opened = unpack("fuse_open_out", reply.bytes.subarray(16, reply.length));
    expect(opened).toEqual({ fh: 0n, open_flags: KEEP_CACHE | NO_FLUSH, backing_id: 0n });
  });
});

describe("openFilesFor()", () => {
  test("passes through only when there is a table to share", () => {
    const fileSystem = new SomeBacked([]);
    const connection = connectionWith(FEATURE.noOpen | FEATURE.passthrough);
    const { shared } = new BackingFiles(DEVICE);
    const pick = (table?: SharedArrayBuffer) => openFilesFor(connection, fileSystem, DEVICE, table);
    expect(pick()).toBeInstanceOf(NoOpenFiles);
    expect(pick(shared)).toBeInstanceOf(PassthroughFiles);
  });
});

describe("PassthroughFiles", () => {
  test("gives all who have a file open one backing file, and takes it back with the last", () => {
    const { calls, files, open } = setUp();
    const first = open(101);
    expect(first).toMatchObject({ open_flags: PASSTHROUGH | NO_FLUSH, backing_id: 1n });
    expect(open(101)).toEqual(first);
    expect(open(102)).toMatchObject({ backing_id: 2n });
    files.release(101, Number(first["fh"]));
    expect(calls.registered).toEqual(new Set([1, 2]));
    files.release(101, Number(first["fh"]));
    expect(calls.registered).toEqual(new Set([2]));
    expect(open(101)).toMatchObject({ backing_id: 3n });
  });

  test("keeps no descriptor of its own", () => {
    const { calls, open } = setUp();
    for (let inode = 101; inode < 110; inode++) open(inode);
    for (const descriptor of new Set(calls.descriptors)) {
      expect(() => fstatSync(descriptor)).toThrow("EBADF");
    }
  });

  test("reads what has no file of its own through the page cache", () => {
    const { calls, files, open } = setUp();
    const opened = open(5);
    expect(opened).toMatchObject({ open_flags: KEEP_CACHE | NO_FLUSH, backing_id: 0n });
    files.release(5, Number(opened["fh"]));
    expect(calls.registered.size).toBe(0);
  });

  test("reads directly what cannot be passed through for now, so that it can be later", () => {
    const { calls, files, open } = setUp();
    calls.failure = new StoreError("limit-exceeded", "too many");
    const opened = open(101);
    expect(opened).toMatchObject({ open_flags: DIRECT_IO | NO_FLUSH, backing_id: 0n });
    files.release(101, Number(opened["fh"]));
    calls.failure = undefined;
    expect(open(101)).toMatchObject({ open_flags: PASSTHROUGH | NO_FLUSH });
  });

  test("fails the open, and counts nothing, when the kernel refuses", () => {
    const { calls, open } = setUp();
    calls.failure = new StoreError("permission-denied", "no");
    expect(() => open(101)).toThrow(expect.objectContaining({ code: "permission-denied" }));
    calls.failure = undefined;
    expect(open(101)).toMatchObject({ backing_id: 1n });
  });

  test("does not release what was not passed through", () => {
    const { files } = setUp();
    expect(() => files.release(101, 0)).not.toThrow();
    expect(() => files.release(101, 1)).toThrow(RangeError);
  });
});
