import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Attributes, InodeType } from "../../../src/castore/fs/file-system.js";
import {
  DirectoryEntries,
  FOR_EVER_SECONDS,
  FuseReply,
  REPLY_HEADER_BYTES,
} from "../../../src/fuse/protocol/reply.js";
import { pack, type StructName, type Values } from "./support/layouts.js";
import { decodeDirents, decodeReply, request } from "./support/wire.js";

const INODE = 2 ** 44 + 3;

const ATTRIBUTES: Attributes = {
  inode: INODE,
  type: "file",
  executable: true,
  size: 2 ** 33 + 1,
  mtimeMs: 1000,
};

/** As the kernel has them, for {@link ATTRIBUTES}. */
const ATTR: Values = {
  ino: INODE,
  size: 2 ** 33 + 1,
  blocks: 2 ** 24 + 1,
  atime: 1,
  mtime: 1,
  ctime: 1,
  mode: 0o100555,
  nlink: 1,
  blksize: 4096,
};

function started(capacity = 4096): FuseReply {
  const reply = new FuseReply(capacity);
  // Dirty from the reply before.
  reply.bytes.fill(0xa5);
  reply.clear();
  return reply;
}

function written(reply: FuseReply): Buffer {
  return reply.bytes.subarray(REPLY_HEADER_BYTES, reply.length);
}

function within(prefix: string, values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([name, v]) => [`${prefix}.${name}`, v]));
}

describe("FuseReply", () => {
  test("ends with a header: length, error and the request's own number", () => {
    const reply = started();
    reply.u32(0x0403_0201);
    reply.finish(request({ opcode: 3, unique: 0x0102_0304_0506_0708n }));
    expect(reply.bytes.subarray(0, reply.length).toString("hex")).toBe(
      "14000000" + "00000000" + "0807060504030201" + "01020304",
    );
  });

  test("drops its body when it ends with an error", () => {
    const reply = started();
    reply.zeros(100);
    reply.finish(request({ opcode: 3, unique: 2n }), 5);
    expect(reply.bytes.subarray(0, reply.length).toString("hex")).toBe(
      "10000000" + "fbffffff" + "0200000000000000",
    );
    expect(decodeReply(reply.bytes.subarray(0, reply.length)).error).toBe(-5);
  });

  test("starts anew on the same memory", () => {
    const reply = started();
    reply.u64(2 ** 53 - 1);
    reply.clear();
    reply.append(Buffer.from("next"));
    expect(written(reply).toString()).toBe("next");
  });

  test("gives room that counts once it is filled", () => {
    const reply = started();
    const room = reply.room(4);
    expect(room.length).toBe(4);
    room.write("data");
    expect(written(reply).length).toBe(0);
    reply.length += 4;
    expect(written(reply).toString()).toBe("data");
    expect(reply.room(1e9).length).toBe(4096 - 4);
  });

  test.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])("writes the number %i", (value) => {
    const reply = started();
    reply.u64(value);
    expect(written(reply).readBigUInt64LE()).toBe(BigInt(value));
  });

  test("lays out an entry as fuse_entry_out", () => {
    const reply = started();
    reply.entry(ATTRIBUTES, 3);
    const expected = { nodeid: INODE, entry_valid: 3, attr_valid: 3, ...within("attr", ATTR) };
    expect(written(reply)).toEqual(pack("fuse_entry_out", expected));
  });

  test("lays out an absent entry as node 0 with a time to live", () => {
    const reply = started();
    reply.noEntry(FOR_EVER_SECONDS);
    expect(written(reply)).toEqual(pack("fuse_entry_out", { entry_valid: FOR_EVER_SECONDS }));
  });

  test("lays out attributes as fuse_attr_out", () => {
    const reply = started();
    reply.attributes(ATTRIBUTES, 3);
    const expected = { attr_valid: 3, ...within("attr", ATTR) };
    expect(written(reply)).toEqual(pack("fuse_attr_out", expected));
  });

  test.each<[InodeType, boolean, number]>([
    ["file", false, 0o100444],
    ["file", true, 0o100555],
    ["directory", false, 0o040555],
    ["symlink", false, 0o120777],
  ])("gives a %s (executable: %s) the mode %o", (type, executable, mode) => {
    const reply = started();
    reply.attributes({ inode: 2, type, executable, size: 0, mtimeMs: 1000 }, 0);
    expect(written(reply).readUInt32LE(16 + 60)).toBe(mode);
  });

  test.each([
    [1000, 1, 0],
    [1_700_000_000_123, 1_700_000_000, 123_000_000],
    [0.5, 0, 500_000],
    [1_700_000_000_999.875, 1_700_000_000, 999_875_000],
  ])("writes the time %d ms in seconds and nanoseconds", (mtimeMs, seconds, nanoseconds) => {
    const reply = started();
    reply.attributes({ ...ATTRIBUTES, mtimeMs }, 0);
    for (const stamp of [0, 1, 2]) {
      expect(written(reply).readBigUInt64LE(16 + 24 + 8 * stamp)).toBe(BigInt(seconds));
      expect(written(reply).readUInt32LE(16 + 48 + 4 * stamp)).toBe(nanoseconds);
    }
  });

  test("lays out capacity as fuse_kstatfs", () => {
    const reply = started();
    reply.statFs({ totalBytes: 4096 * 100, freeBytes: 4096 * 30 + 1, inodes: 7 });
    const expected = { blocks: 100, bfree: 30, bavail: 30, files: 7, bsize: 4096, frsize: 4096 };
    expect(written(reply)).toEqual(pack("fuse_kstatfs", { ...expected, namelen: 255 }));
  });

  test("lays out an opened file as fuse_open_out", () => {
    const reply = started();
    reply.open(2 ** 40, 0b1010_0000, 9);
    const expected = { fh: 2 ** 40, open_flags: 0b1010_0000, backing_id: 9 };
    expect(written(reply)).toEqual(pack("fuse_open_out", expected));
  });
});

/** What READDIR must hold for an entry: head, name, zeros up to a multiple of eight. */
function dirent(name: string, values: Values): Buffer {
  const head = pack("fuse_dirent", { ...values, namelen: Buffer.byteLength(name) });
  const padding = [0, 7, 6, 5, 4, 3, 2, 1][Buffer.byteLength(name) % 8] as number;
  return Buffer.concat([head, Buffer.from(name), Buffer.alloc(padding)]);
}

describe("DirectoryEntries", () => {
  const folder = { ...ATTRIBUTES, inode: 9, type: "directory" as const, executable: false };

  test.each(["a", "1234567", "12345678", "123456789", "n".repeat(255)])(
    "lays out %s as fuse_dirent, padded to eight bytes",
    (name) => {
      const reply = started();
      const entries = new DirectoryEntries(reply, 4096, false);
      expect(entries.add(Buffer.from(name), ATTRIBUTES, 2 ** 40, 1)).toBe(true);
      expect(entries.add(Buffer.from("d"), folder, 2 ** 40 + 1, 1)).toBe(true);
      const expected = [
        dirent(name, { ino: INODE, off: 2 ** 40, type: 8 }),
        dirent("d", { ino: 9, off: 2 ** 40 + 1, type: 4 }),
      ];
      expect(written(reply)).toEqual(Buffer.concat(expected));
    },
  );

  test("puts the answer to a lookup before each entry of READDIRPLUS", () => {
    const reply = started();
    const entries = new DirectoryEntries(reply, 4096, true);
    entries.add(Buffer.from("name"), ATTRIBUTES, 3, 77);
    const values = { nodeid: INODE, entry_valid: 77, attr_valid: 77, ...within("attr", ATTR) };
    const expected = [
      pack("fuse_entry_out", values),
      dirent("name", { ino: INODE, off: 3, type: 8 }),
    ];
    expect(written(reply)).toEqual(Buffer.concat(expected));
  });

  test.each([false, true])("adds the dots without a lookup (plus: %s)", (plus) => {
    const reply = started();
    const entries = new DirectoryEntries(reply, 4096, plus);
    expect(entries.addDot(".", 5, 1)).toBe(true);
    expect(entries.addDot("..", 0xffff_ffff, 2)).toBe(true);
    const nothing = plus ? [pack("fuse_entry_out" satisfies StructName, {})] : [];
    expect(written(reply)).toEqual(
      Buffer.concat([
        ...nothing,
        dirent(".", { ino: 5, off: 1, type: 4 }),
        ...nothing,
        dirent("..", { ino: 0xffff_ffff, off: 2, type: 4 }),
      ]),
    );
  });

  test.each([
    [false, "x", 32],
    [false, "12345678", 32],
    [false, "123456789", 40],
    [true, "x", 160],
    [true, "n".repeat(255), 408],
  ])("takes an entry only whole (plus: %s, name %s, %i bytes)", (plus, name, size) => {
    for (const limit of [0, 1, 23, size - 8, size - 1]) {
      const reply = started();
      expect(new DirectoryEntries(reply, limit, plus).add(Buffer.from(name), folder, 1, 0)).toBe(
        false,
      );
      expect(written(reply).length).toBe(0);
    }
    const reply = started();
    const entries = new DirectoryEntries(reply, size, plus);
    expect(entries.add(Buffer.from(name), folder, 1, 0)).toBe(true);
    expect(written(reply).length).toBe(size);
    expect(entries.addDot(".", 1, 1)).toBe(false);
    expect(written(reply).length).toBe(size);
  });

  test("is bounded by the reply's memory as well", () => {
    const reply = started(64);
    const entries = new DirectoryEntries(reply, 2 ** 32 - 1, false);
    expect(entries.add(Buffer.from("a"), folder, 1, 0)).toBe(true);
    expect(entries.add(Buffer.from("b"), folder, 2, 0)).toBe(true);
    expect(entries.add(Buffer.from("c"), folder, 3, 0)).toBe(false);
    expect(reply.length).toBe(16 + 64);
  });

  test("gives what the kernel reads back, for all names", () => {
    const names = fc.array(
      fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => {
        for (const [at, byte] of bytes.entries()) if (byte === 0 || byte === 0x2f) bytes[at] = 0x78;
        return Buffer.from(bytes);
      }),
    );
    fc.assert(
      fc.property(names, fc.boolean(), (list, plus) => {
        const reply = started(2 ** 17);
        const entries = new DirectoryEntries(reply, 2 ** 17, plus);
        for (const [index, name] of list.entries()) {
          expect(entries.add(name, { ...ATTRIBUTES, inode: 100 + index }, index + 1, 1)).toBe(true);
        }
        const read = decodeDirents(written(reply), plus);
        expect(read.map(({ name }) => name)).toEqual(list);
        expect(read.map(({ inode }) => Number(inode) - 100)).toEqual([...list.keys()]);
        if (plus) expect(read.every((e) => e.entry?.["nodeid"] === e.inode)).toBe(true);
      }),
    );
  });
});
