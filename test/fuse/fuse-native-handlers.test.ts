import { describe, expect, test } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import type { Stat } from "../../src/fuse/attributes.js";
import { foldInode, fuseNativeHandlers } from "../../src/fuse/fuse-native-handlers.js";
import {
  brokenFile,
  directory,
  file,
  MemoryFileSystem,
  symlink,
} from "./support/memory-file-system.mjs";
import { RecordingLog } from "./support/recording-log.js";

const hole = (): never => {
  throw new StoreError("dangling-reference", "Cannot read blob b3:feed: it is gone");
};

function setUp(options: { refuseListing?: () => never } = {}) {
  const log = new RecordingLog();
  const fileSystem = new MemoryFileSystem(
    [
      ["hello", file("hello\n", true)],
      ["hole", brokenFile(hole)],
      ["link", symlink("gr\u00fcn/\ufffd")],
      [
        "dir",
        directory([
          [Buffer.from([0xff]), file("")],
          ["\ufffd", file("")],
          ["good", file("")],
          ["bad-link", symlink(Buffer.from([0xff]))],
        ]),
      ],
    ],
    options,
  );
  return { log, handlers: fuseNativeHandlers(fileSystem, log) };
}

/** Collects the replies of one call. */
function replies(call: (reply: (...parts: unknown[]) => void) => void): unknown[][] {
  const collected: unknown[][] = [];
  call((...parts) => collected.push(parts));
  return collected;
}

describe("fuseNativeHandlers()", () => {
  test("getattr answers attributes, or an error alone", () => {
    const { handlers } = setUp();
    const [[status, stat]] = replies((reply) => handlers.getattr("/hello", reply)) as [
      [number, Stat],
    ];
    expect(status).toBe(0);
    expect(stat).toMatchObject({ mode: 0o100555, size: 6, ino: 2 });
    expect(replies((reply) => handlers.getattr("/none", reply))).toEqual([[-2]]);
  });

  test("read answers the number of bytes, 0 at the end, EIO with a log line for a hole", () => {
    const { handlers, log } = setUp();
    const target = Buffer.alloc(4);
    const read = (path: string, offset: number) =>
      replies((reply) => handlers.read(path, 0, target, target.length, offset, reply));
    expect(read("/hello", 1)).toEqual([[4]]);
    expect(target.toString()).toBe("ello");
    expect(read("/hello", 6)).toEqual([[0]]);
    expect(read("/hole", 0)).toEqual([[-5]]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'Cannot read "/hole": Cannot read blob b3:feed: it is gone',
    ]);
  });

  test("readdir leaves out names that are not UTF-8, with one warning", () => {
    const { handlers, log } = setUp();
    for (const _ of [1, 2]) {
      const [[status, names, stats]] = replies((reply) => handlers.readdir("/dir", reply)) as [
        [number, string[], Stat[]],
      ];
      expect(status).toBe(0);
      expect(names).toEqual([".", "..", "good", "bad-link"]);
      expect(stats.map(({ ino }) => ino)).toEqual([5, 1, 8, 9]);
    }
    expect(log.lines).toMatchObject([
      {
        level: "warn",
        message:
          'Left out of the listing of "/dir": 2 names, "\\xff" first; fuse-native carries only UTF-8',
      },
    ]);
  });

  test("readdir answers EPERM where listing is off", () => {
    const refuseListing = (): never => {
      throw new StoreError("permission-denied", "no");
    };
    const { handlers, log } = setUp({ refuseListing });
    expect(replies((reply) => handlers.readdir("/", reply))).toEqual([[-1]]);
    expect(replies((reply) => handlers.getattr("/hello", reply))[0]?.[0]).toBe(0);
    expect(log.lines).toEqual([]);
  });

  test("readlink carries any UTF-8 and refuses the rest with EILSEQ and one warning", () => {
    const { handlers, log } = setUp();
    expect(replies((reply) => handlers.readlink("/link", reply))).toEqual([
      [0, "gr\u00fcn/\ufffd"],
    ]);
    for (const _ of [1, 2]) {
      expect(replies((reply) => handlers.readlink("/dir/bad-link", reply))).toEqual([[-84]]);
    }
    expect(log.lines.length).toBe(1);
    expect(log.lines[0]?.message).toContain('"\\xff" of "/dir/bad-link"');
  });

  test("open answers ENOSYS, so that the kernel stops asking", () => {
    const { handlers } = setUp();
    expect(replies((reply) => handlers.open("/hello", 0, reply))).toEqual([[-38]]);
  });
});

describe("foldInode()", () => {
  test("keeps numbers that fit, and never gives 0, 1 or 2^32 - 1 for others", () => {
    expect([1, 2, 77, 2 ** 32 - 2].map(foldInode)).toEqual([1, 2, 77, 2 ** 32 - 2]);
    const around = [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33 - 4, 2 ** 33 - 3, 2 ** 53 - 1];
    for (const inode of around) {
      expect(foldInode(inode)).toBeGreaterThan(1);
      expect(foldInode(inode)).toBeLessThan(2 ** 32 - 1);
    }
  });
});
