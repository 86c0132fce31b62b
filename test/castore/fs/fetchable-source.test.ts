import { describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { FetchableSource } from "../../../src/castore/fs/fetchable-source.js";
import { Miss } from "../../../src/castore/fs/file-system.js";
import type { ResidentSource } from "../../../src/castore/fs/projection.js";
import { DIRECTORY } from "../../vectors/directories.js";

const { digest } = DIRECTORY.b;
const target = Buffer.alloc(4);

/** A source that has nothing, and says so with `code`. */
function without(code: "dangling-reference" | "corrupt"): ResidentSource {
  const fail = (): never => {
    throw new StoreError(code, "not here");
  };
  return {
    refresh: () => {},
    directory: fail,
    read: fail,
    blobFile: fail,
    capacity: () => ({ totalBytes: 1, freeBytes: 1, inodes: 1 }),
  };
}

const CALLS: [string, (source: ResidentSource) => unknown, "directory" | "blob"][] = [
  ["a directory", (source) => source.directory(digest), "directory"],
  ["a read", (source) => source.read(digest, 9, 0, target), "blob"],
  ["a file", (source) => source.blobFile(digest, 9), "blob"],
];

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("FetchableSource", () => {
  it.each(CALLS)("makes a miss of %s that is missing", (_title, call, type) => {
    const source = new FetchableSource(without("dangling-reference"), {
      blobs: true,
      directories: true,
    });
    const miss = thrownBy(() => call(source));
    expect(miss).toBeInstanceOf(Miss);
    expect((miss as Miss).want).toEqual({ type, digest: digest.hex });
  });

  it.each(CALLS)("leaves %s a hole where it cannot be fetched", (_title, call) => {
    const source = new FetchableSource(without("dangling-reference"), {
      blobs: false,
      directories: false,
    });
    expect(thrownBy(() => call(source))).toMatchObject({ code: "dangling-reference" });
  });

  it.each(CALLS)("leaves damage what it is: %s", (_title, call) => {
    const source = new FetchableSource(without("corrupt"), { blobs: true, directories: true });
    expect(thrownBy(() => call(source))).toMatchObject({ code: "corrupt" });
  });

  it("finds what has been fetched and is not stored yet", () => {
    const content = Buffer.from("123456789");
    const source = new FetchableSource(
      without("dangling-reference"),
      { blobs: true, directories: true },
      { directory: () => DIRECTORY.b, blob: () => content },
    );
    expect(source.directory(digest)).toBe(DIRECTORY.b);
    expect(source.read(digest, 9, 7, target)).toBe(2);
    expect(target.subarray(0, 2).toString()).toBe("89");
    expect(source.read(digest, 9, 20, target)).toBe(0);
    expect(source.blobFile(digest, 9)).toBeUndefined();
    // A directory that states another size is wrong, whoever is asked.
    expect(thrownBy(() => source.read(digest, 8, 0, target))).toMatchObject({ code: "corrupt" });
  });
});
