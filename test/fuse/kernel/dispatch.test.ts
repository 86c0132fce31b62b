import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type ErrorCode, StoreError } from "../../../src/base/errors.js";
import { type FileSystem, Miss } from "../../../src/castore/fs/file-system.js";
import { ReplyError } from "../../../src/fuse/errno.js";
import { bytes, noise } from "../../support/bytes.js";
import { pack, unpack } from "../protocol/support/layouts.js";
import { encodeRequest, nul } from "../protocol/support/wire.js";
import {
  brokenFile,
  countingFile,
  directory,
  file,
  type MemoryEntry,
  MemoryFileSystem,
  symlink,
} from "../support/memory-file-system.mjs";
import { Conversation, connectionWith, OPCODE } from "./support/conversation.js";
import { ProjectedStore } from "./support/projected-store.js";

const FOR_EVER = 0x7fff_ffffn;
const LARGE = noise(300_000, 3);
const NOT_UTF8 = Buffer.from("ff80fe", "hex");

function memory(extra: readonly MemoryEntry[] = []): Conversation {
  return new Conversation(
    new MemoryFileSystem([
      ["hello", file("hello\n", true)],
      ["large", file(LARGE)],
      ["link", symlink("hello")],
      ["dir", directory([[NOT_UTF8, file("bytes\n")]])],
      ...extra,
    ]),
  );
}

let store: ProjectedStore;

beforeAll(async () => {
  store = await ProjectedStore.open();
  store.roots.set(
    "tree",
    await store.folder([
      ["hello", await store.file(bytes("hello\n"), true)],
      ["large", await store.file(LARGE)],
      ["link", store.symlink(bytes("hello"))],
      ["dir", await store.folder([[NOT_UTF8.toString("latin1"), await store.file(bytes("b"))]])],
    ]),
  );
});

/** A file system all of whose methods throw `thrown`. */
function throwing(thrown: unknown): FileSystem {
  return new Proxy({} as FileSystem, {
    get: () => () => {
      throw thrown;
    },
  });
}

describe.each(["a file system in memory", "a projected store"])("Dispatcher over %s", (which) => {
  const top = which === "a projected store" ? "tree/" : "";
  const talk = () => (top === "" ? memory() : new Conversation(store.projection));

  test("answers LOOKUP with the inode and its attributes", () => {
    const kernel = talk();
    const inode = kernel.inode(`${top}hello`);
    const parent = top === "" ? 1n : kernel.inode("tree");
    expect(kernel.lookup(parent, "hello")).toMatchObject({
      nodeid: inode,
      generation: 0n,
      "attr.ino": inode,
      "attr.size": 6n,
      "attr.blocks": 1n,
      "attr.mode": 0o100555n,
      "attr.nlink": 1n,
      "attr.mtime": 1n,
    });
  });

  test("answers LOOKUP of nothing with node 0", () => {
    const kernel = talk();
    for (const name of ["none", "", "Hello", "hello\uFFFD", "x".repeat(255)]) {
      expect(kernel.lookup(1, name)["nodeid"]).toBe(0n);
    }
    expect(kernel.lookup(kernel.inode(`${top}dir`), "none")["nodeid"]).toBe(0n);
  });

  test("answers LOOKUP of a name of more than 255 bytes with ENAMETOOLONG", () => {
    for (const length of [256, 1024, 4095]) {
      expect(talk().ask(OPCODE.lookup, 1, nul("x".repeat(length))).error).toBe(-36);
    }
  });

  test("finds names byte for byte, whether or not they are UTF-8", () => {
    const kernel = talk();
    const folder = kernel.inode(`${top}dir`);
    expect(kernel.lookup(folder, NOT_UTF8)["nodeid"]).toBeGreaterThan(1n);
    for (const other of ["fffefe", "ff80", "efbfbdefbfbdefbfbd", "ff80fe00"]) {
      const name = Buffer.from(other.replace(/00$/, "ff"), "hex");
      expect(kernel.lookup(folder, name)["nodeid"], other).toBe(0n);
    }
  });

  test("lets the kernel believe the root for a second, all below it for ever", () => {
    const kernel = talk();
    for (const name of [top === "" ? "hello" : "tree", "none"]) {
      const { entry_valid, attr_valid } = kernel.lookup(1, name);
      expect(entry_valid).toBe(1n);
      if (name !== "none") expect(attr_valid).toBe(1n);
    }
    const folder = kernel.inode(`${top}dir`);
    for (const name of [NOT_UTF8, "none"]) {
      const { entry_valid, attr_valid } = kernel.lookup(folder, name);
      expect(entry_valid).toBe(FOR_EVER);
      if (name === NOT_UTF8) expect(attr_valid).toBe(FOR_EVER);
    }
    const getattr = (inode: bigint) =>
      unpack("fuse_attr_out", kernel.answer(OPCODE.getattr, inode))["attr_valid"];
    expect(getattr(1n)).toBe(1n);
    expect(getattr(folder)).toBe(FOR_EVER);
    const listed = (inode: bigint) => kernel.list(inode, 2, 4096, true).entries[0]?.entry;
    expect(listed(1n)).toMatchObject({ entry_valid: 1n, attr_valid: 1n });
    expect(listed(folder)).toMatchObject({ entry_valid: FOR_EVER, attr_valid: FOR_EVER });
  });

  test("answers GETATTR as it answers LOOKUP", () => {
    const kernel = talk();
    for (const name of ["hello", "large", "link", "dir"]) {
      const inode = kernel.inode(`${top}${name}`);
      const parent = top === "" ? 1n : kernel.inode("tree");
      const found = kernel.lookup(parent, name);
      for (const body of [undefined, pack("fuse_getattr_in", { getattr_flags: 1, fh: 9 })]) {
        const attributes = unpack("fuse_attr_out", kernel.answer(OPCODE.getattr, inode, body));
        for (const [field, value] of Object.entries(attributes)) {
          if (field.startsWith("attr.")) expect([field, value]).toEqual([field, found[field]]);
        }
      }
    }
    const root = unpack("fuse_attr_out", kernel.answer(OPCODE.getattr, 1));
    expect(root).toMatchObject({ "attr.ino": 1n, "attr.mode": 0o040555n });
  });

  test("answers READLINK with the target alone", () => {
    const kernel = talk();
    expect(kernel.answer(OPCODE.readlink, kernel.inode(`${top}link`)).toString()).toBe("hello");
  });

  test("answers READ with what there is from the offset on", () => {
    const kernel = talk();
    const large = kernel.inode(`${top}large`);
    expect(kernel.read(large, 0, 2 ** 20).body.equals(LARGE)).toBe(true);
    for (const [offset, size] of [
      [0, 0],
      [1, 10],
      [65_536, 131_072],
      [299_999, 4096],
      [300_000, 4096],
      [2 ** 53, 4096],
      [2n ** 63n - 1n, 4096],
      [2n ** 64n - 1n, 2 ** 32 - 1],
    ] as const) {
      const at = Number(offset);
      const { error, body } = kernel.read(large, offset, size);
      expect([at, error, body.equals(LARGE.subarray(at, at + size))]).toEqual([at, 0, true]);
    }
    expect(kernel.read(kernel.inode(`${top}hello`), 2, 100).body.toString()).toBe("llo\n");
  });

  test("never reads more than was agreed upon", () => {
    const fileSystem = top === "" ? new MemoryFileSystem([["f", file(LARGE)]]) : store.projection;
    const kernel = new Conversation(fileSystem, connectionWith(0n, 16_384));
    const large = kernel.inode(top === "" ? "f" : "tree/large");
    expect(kernel.read(large, 0, 2 ** 32 - 1).body.length).toBe(16_384);
  });

  test("answers STATFS", () => {
    const { bsize, frsize, namelen, blocks } = unpack(
      "fuse_kstatfs",
      talk().answer(OPCODE.statfs, 1),
    );
    expect(bsize).toBe(frsize);
    expect(namelen).toBe(255n);
    expect(blocks).toBeGreaterThan(0n);
  });

  test("answers GETXATTR and LISTXATTR by the size of the caller's buffer", () => {
    const kernel = talk();
    const inode = kernel.inode(`${top}hello`);
    const name = top === "" ? "user.test.inode" : "user.tvix.castore.blob.digest";
    const get = (size: number) => {
      const head = pack("fuse_getxattr_in", { size });
      return kernel.ask(OPCODE.getxattr, inode, Buffer.concat([head, nul(name)]));
    };
    const list = (size: number) =>
      kernel.ask(OPCODE.listxattr, inode, pack("fuse_getxattr_in", { size }));
    const value = get(65_536).body;
    expect(value.toString()).toMatch(top === "" ? /^\d+$/ : /^blake3-/);
    for (const [call, whole] of [
      [get, value],
      [list, top === "" ? nul(name) : Buffer.concat([nul(name), nul("user.tvix.verified")])],
    ] as const) {
      expect(unpack("fuse_getxattr_out", call(0).body)["size"]).toBe(BigInt(whole.length));
      expect(call(0).body.length).toBe(8);
      expect(call(whole.length).body).toEqual(whole);
      expect(call(whole.length + 1).body).toEqual(whole);
      expect(call(2 ** 32 - 1).body).toEqual(whole);
      for (const size of [1, whole.length - 1].filter((size) => size < whole.length && size > 0)) {
        expect([size, call(size).error]).toEqual([size, -34]);
      }
    }
    for (const absent of ["user.absent", "", "USER.TEST.INODE", "security.capability"]) {
      for (const size of [0, 4096]) {
        const body = Buffer.concat([pack("fuse_getxattr_in", { size }), nul(absent)]);
        expect(kernel.ask(OPCODE.getxattr, inode, body).error).toBe(-61);
      }
    }
  });

  test("answers OPEN and OPENDIR with ENOSYS where the kernel takes that as leave not to ask", () => {
    const kernel = talk();
    for (const opcode of [OPCODE.open, OPCODE.opendir]) {
      expect(kernel.ask(opcode, 1, pack("fuse_open_in", {})).error).toBe(-38);
    }
  });

  test("opens files and folders for a kernel that must ask, and has it keep what it read", () => {
    const kernel = new Conversation(memoryOrStore(), connectionWith(0n));
    const opened = (opcode: number) => unpack("fuse_open_out", kernel.answer(opcode, 1));
    // FOPEN_KEEP_CACHE with FOPEN_NOFLUSH, and with FOPEN_CACHE_DIR.
    expect(opened(OPCODE.open)).toEqual({ fh: 0n, open_flags: 0b10_0010n, backing_id: 0n });
    expect(opened(OPCODE.opendir)).toEqual({ fh: 0n, open_flags: 0b00_1010n, backing_id: 0n });
    const release = pack("fuse_release_in", {});
    expect(kernel.answer(OPCODE.release, 1, release).length).toBe(0);
    expect(kernel.answer(OPCODE.releasedir, 1, release).length).toBe(0);
  });

  function memoryOrStore(): FileSystem {
    return top === "" ? new MemoryFileSystem([]) : store.projection;
  }

  test.each(["access", "flush", "lseek", "statx", "ioctl", "poll"] as const)(
    "answers %s with ENOSYS and no log line: the kernel has a way of its own",
    (name) => {
      const kernel = talk();
      expect(kernel.ask(OPCODE[name], 1, Buffer.alloc(64)).error).toBe(-38);
      expect(kernel.log.lines).toEqual([]);
    },
  );

  test("answers requests it has never heard of with ENOSYS", () => {
    const kernel = talk();
    for (const opcode of [0, 7, 51, 53, 100, 4096, 2 ** 31, 2 ** 32 - 1]) {
      expect([opcode, kernel.ask(opcode, 1).error]).toEqual([opcode, -38]);
    }
  });

  test("says nothing to what expects no reply", () => {
    const kernel = talk();
    for (const name of ["forget", "batchForget", "interrupt", "destroy"] as const) {
      for (const length of [0, 8, 64]) {
        expect(kernel.outcome(OPCODE[name], 1, Buffer.alloc(length))).toBe("silence");
      }
    }
    expect(kernel.log.lines).toEqual([]);
  });

  test("answers what is cut short with EINVAL, without a log line", () => {
    const kernel = talk();
    const xattr = pack("fuse_getxattr_in", { size: 10 });
    for (const [opcode, body] of [
      [OPCODE.lookup, Buffer.alloc(0)],
      [OPCODE.lookup, Buffer.from("no end")],
      [OPCODE.read, pack("fuse_read_in", {}).subarray(0, 19)],
      [OPCODE.readdir, Buffer.alloc(0)],
      [OPCODE.readdirplus, pack("fuse_read_in", {}).subarray(0, 15)],
      [OPCODE.getxattr, xattr.subarray(0, 3)],
      [OPCODE.getxattr, xattr],
      [OPCODE.getxattr, Buffer.concat([xattr, Buffer.from("no end")])],
      [OPCODE.listxattr, xattr.subarray(0, 3)],
    ] as const) {
      expect([opcode, kernel.ask(opcode, 1, body).error]).toEqual([opcode, -22]);
    }
    expect(kernel.log.lines).toEqual([]);
  });
});

describe("Dispatcher", () => {
  test("knows no attributes of symlinks and of the root of a store", () => {
    const kernel = new Conversation(store.projection);
    for (const inode of [1n, kernel.inode("tree/link")]) {
      const size = pack("fuse_getxattr_in", { size: 0 });
      expect(unpack("fuse_getxattr_out", kernel.answer(OPCODE.listxattr, inode, size))).toEqual({
        size: 0n,
      });
      expect(kernel.answer(OPCODE.listxattr, inode, pack("fuse_getxattr_in", { size: 9 }))).toEqual(
        Buffer.alloc(0),
      );
    }
  });

  test("answers numbers that were never given with ESTALE, for which the kernel looks again", () => {
    const kernel = new Conversation(store.projection);
    for (const inode of [0n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      expect(kernel.ask(OPCODE.getattr, inode).error).toBe(-116);
      expect(kernel.read(inode, 0, 10).error).toBe(-116);
    }
  });

  test("answers the wrong kind of inode with EINVAL", () => {
    const kernel = new Conversation(store.projection);
    const body = pack("fuse_read_in", { size: 4096 });
    expect(kernel.ask(OPCODE.read, kernel.inode("tree"), body).error).toBe(-22);
    expect(kernel.ask(OPCODE.readdir, kernel.inode("tree/hello"), body).error).toBe(-22);
    expect(kernel.ask(OPCODE.readlink, kernel.inode("tree/hello")).error).toBe(-22);
    expect(kernel.ask(OPCODE.lookup, kernel.inode("tree/link"), nul("x")).error).toBe(-22);
  });

  /** One request of each kind that asks the file system something. */
  const ASKING: readonly (readonly [opcode: number, body: Uint8Array])[] = [
    [OPCODE.lookup, nul("name")],
    [OPCODE.getattr, pack("fuse_getattr_in", {})],
    [OPCODE.readlink, new Uint8Array()],
    [OPCODE.read, pack("fuse_read_in", { size: 4096 })],
    [OPCODE.statfs, new Uint8Array()],
    [OPCODE.readdir, pack("fuse_read_in", { size: 4096 })],
    [OPCODE.readdirplus, pack("fuse_read_in", { size: 4096 })],
    [OPCODE.getxattr, Buffer.concat([pack("fuse_getxattr_in", {}), nul("name")])],
    [OPCODE.listxattr, pack("fuse_getxattr_in", {})],
  ];

  test.each<[ErrorCode, number]>([
    ["invalid-argument", 22],
    ["not-found", 116],
    ["dangling-reference", 5],
    ["corrupt", 5],
    ["permission-denied", 1],
    ["limit-exceeded", 5],
    ["unsupported", 95],
    ["unavailable", 5],
    ["aborted", 4],
    ["internal", 5],
  ])(
    "answers every request that fails with %s with errno %i, EIO with a log line",
    (code, errno) => {
      for (const [opcode, body] of ASKING) {
        const kernel = new Conversation(throwing(new StoreError(code, "the reason")));
        expect(kernel.ask(opcode, 2 ** 40 + 7, body)).toMatchObject({ error: -errno });
        expect(kernel.log.lines.length).toBe(errno === 5 ? 1 : 0);
        if (errno === 5) {
          const [line] = kernel.log.lines;
          expect(line?.level).toBe("error");
          expect(line?.message).toMatch(/^Cannot \w+ inode 1099511627783: the reason$/);
          expect(line?.fields).toMatchObject({ inode: 2 ** 40 + 7, code });
        }
      }
    },
  );

  test.each([
    new TypeError("a bug"),
    new RangeError("a bug"),
    "a bug",
    { toString: () => "a bug" },
  ])("answers every request in which %s is thrown with EIO and a log line", (thrown) => {
    for (const [opcode, body] of ASKING) {
      const kernel = new Conversation(throwing(thrown));
      expect(kernel.ask(opcode, 5, body).error).toBe(-5);
      expect(kernel.log.lines.map(({ message }) => message)).toEqual([
        expect.stringMatching(/a bug$/),
      ]);
    }
  });

  test.each([undefined, null, 0, Object.create(null), Symbol("odd")])(
    "answers EIO whatever is thrown, also what has no text",
    (thrown) => {
      for (const [opcode, body] of ASKING) {
        expect(new Conversation(throwing(thrown)).ask(opcode, 5, body).error).toBe(-5);
      }
    },
  );

  test("passes on what only the kernel interface knows", () => {
    const kernel = new Conversation(throwing(new ReplyError(116, "stale")));
    expect(kernel.ask(OPCODE.getattr, 5).error).toBe(-116);
    expect(kernel.log.lines).toEqual([]);
  });

  test("has answered when the log fails", () => {
    const kernel = new Conversation(throwing(new StoreError("corrupt", "the reason")));
    kernel.log.error = () => {
      throw new Error("disk full");
    };
    expect(kernel.ask(OPCODE.getattr, 5).error).toBe(-5);
  });

  test("hands out what is not here, for every request that may need it", () => {
    const miss = new Miss({ digest: "b3:feed" });
    for (const [opcode, body] of ASKING) {
      const kernel = new Conversation(throwing(miss));
      expect(kernel.outcome(opcode, 5, body)).toBe(miss);
      expect(kernel.log.lines).toEqual([]);
    }
  });

  test("leaves nothing of a failed answer in the next one", () => {
    const kernel = memory([["broken", brokenFile(fail)]]);
    expect(kernel.read(kernel.inode("broken"), 0, 100)).toMatchObject({ error: -5 });
    expect(kernel.read(kernel.inode("hello"), 0, 100).body.toString()).toBe("hello\n");
    expect(kernel.outcome(OPCODE.forget, 1, Buffer.alloc(8))).toBe("silence");
    expect(kernel.answer(OPCODE.readlink, kernel.inode("link")).toString()).toBe("hello");
  });

  function fail(): never {
    throw new StoreError("corrupt", "broken");
  }

  test("reads at offsets beyond 4 GiB", () => {
    const kernel = memory([["big", countingFile(5 * 2 ** 30)]]);
    const offset = 2 ** 32 + 8;
    const { body } = kernel.read(kernel.inode("big"), offset, 16);
    expect([body.readBigUInt64LE(0), body.readBigUInt64LE(8)]).toEqual([
      BigInt(offset),
      BigInt(offset + 8),
    ]);
  });

  test("answers a target that does not fit a reply with EIO", () => {
    const kernel = memory([["far", symlink("x".repeat(2 ** 21))]]);
    expect(kernel.ask(OPCODE.readlink, kernel.inode("far")).error).toBe(-5);
  });

  test("does not mix up two requests on the same memory", () => {
    const kernel = memory();
    const bodies = [nul("hello"), nul("none"), nul("large")];
    const uniques = bodies.map((body, index) => {
      const unique = 0xffff_ffff_0000_0000n + BigInt(index);
      kernel.handle(encodeRequest({ opcode: 1, nodeId: 1, unique, body }));
      return kernel.reply.unique - 0xffff_ffff_0000_0000n;
    });
    expect(uniques).toEqual([0n, 1n, 2n]);
  });
});

/** Reads a folder to its end as the kernel does; `sizes` are the buffers it offers, over and over. */
function listWhole(
  kernel: Conversation,
  inode: bigint,
  plus: boolean,
  sizes: readonly number[],
  between: () => void = () => {},
): string[] {
  const names: string[] = [];
  for (let offset = 0n, round = 0; ; round++) {
    const size = sizes[round % sizes.length] as number;
    const { length, entries } = kernel.list(inode, offset, size, plus);
    expect(length).toBeLessThanOrEqual(size);
    if (entries.length === 0) return names;
    names.push(...entries.map(({ name }) => name.toString("latin1")));
    offset = entries.at(-1)?.next as bigint;
    between();
  }
}

/** No entry is larger than this, so that each buffer holds at least one. */
const ENTRY_BYTES_MAX = 128 + 24 + 256;

const someSizes = fc.array(fc.integer({ min: ENTRY_BYTES_MAX, max: 5000 }), {
  minLength: 1,
  maxLength: 5,
});

describe("A listing", () => {
  const names = Array.from(
    { length: 300 },
    (_, index) => String.fromCharCode(128 + (index % 100)).repeat(1 + ((index * 7) % 250)) + index,
  );
  let folderInode: bigint;

  beforeAll(async () => {
    const empty = await store.file(bytes(""));
    const folder = await store.folder(names.map((name) => [name, empty] as const));
    store.roots.set("listed", await store.folder([["folder", folder]]));
    for (let index = 0; index < 40; index++) store.roots.set(`root-${index}`, empty);
    folderInode = new Conversation(store.projection).inode("listed/folder");
  });

  test.each([false, true])("gives every entry once, whatever the buffers (plus: %s)", (plus) => {
    const memoryFolder = new MemoryFileSystem(
      names.map((name) => [Buffer.from(name, "latin1"), file("")]),
    );
    fc.assert(
      fc.property(someSizes, (sizes) => {
        for (const [fileSystem, inode] of [
          [store.projection, folderInode],
          [memoryFolder, 1n],
        ] as const) {
          const listed = listWhole(new Conversation(fileSystem), inode, plus, sizes);
          expect(listed.slice(0, 2)).toEqual([".", ".."]);
          expect(listed.slice(2).sort()).toEqual([...names].sort());
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([false, true])("goes on at every entry with the one after it (plus: %s)", (plus) => {
    const kernel = new Conversation(store.projection);
    for (const inode of [folderInode, 1n]) {
      const { entries } = kernel.list(inode, 0, 2 ** 20, plus);
      const all = entries.map(({ name }) => name.toString("latin1"));
      expect(all.length).toBe(inode === 1n ? store.roots.size + 2 : names.length + 2);
      for (const [index, { next }] of entries.entries()) {
        const rest = kernel.list(inode, next, 2000, plus).entries;
        const following = all.slice(index + 1, index + 1 + rest.length);
        expect(rest.map(({ name }) => name.toString("latin1"))).toEqual(following);
        expect(rest.length > 0).toBe(index < all.length - 1);
      }
      expect(kernel.list(inode, 0, 2 ** 20, plus).entries).toEqual(entries);
    }
  });

  test("is empty beyond its end, however far", () => {
    const kernel = new Conversation(store.projection);
    for (const inode of [folderInode, 1n]) {
      for (const offset of [2n ** 52n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n]) {
        expect(kernel.list(inode, offset, 4096, true).entries).toEqual([]);
      }
    }
  });

  test("shows types and inodes as LOOKUP does", () => {
    const kernel = new Conversation(store.projection);
    const tree = kernel.inode("tree");
    for (const plus of [false, true]) {
      const { entries } = kernel.list(tree, 0, 2 ** 20, plus);
      expect(entries.map(({ name, type }) => [name.toString(), type])).toEqual([
        [".", 4],
        ["..", 4],
        ["dir", 4],
        ["hello", 8],
        ["large", 8],
        ["link", 10],
      ]);
      expect(entries[0]?.inode).toBe(tree);
      for (const { name, inode, entry } of entries.slice(2)) {
        const found = kernel.lookup(tree, name);
        expect(found["nodeid"]).toBe(inode);
        if (plus) expect(entry).toEqual(found);
      }
      // Nothing of the dots may enter the kernel's caches.
      if (plus) expect(entries[1]?.entry).toMatchObject({ nodeid: 0n, entry_valid: 0n });
    }
  });

  test("neither loses nor doubles a root entry while others are added and looked up", async () => {
    const growing = await ProjectedStore.open();
    const empty = await growing.file(bytes(""));
    fc.assert(
      fc.property(someSizes, fc.boolean(), (sizes, plus) => {
        growing.roots.clear();
        const kernel = new Conversation(growing.projection);
        const atStart = Array.from({ length: 20 }, (_, index) => `start-${index}`);
        for (const name of atStart) growing.roots.set(name, empty);
        let added = 0;
        const listed = listWhole(kernel, 1n, plus, sizes, () => {
          if (added === 40) return;
          growing.roots.set(`added-${added}`, empty);
          if (added % 3 === 0) kernel.lookup(1, `added-${added}`);
          added++;
        });
        expect(new Set(listed).size).toBe(listed.length);
        for (const name of atStart) expect(listed).toContain(name);
      }),
      { numRuns: 8 },
    );
  });
});
