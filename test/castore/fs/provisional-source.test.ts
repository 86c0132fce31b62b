import { describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { B3Digest } from "../../../src/castore/digest.js";
import { Miss } from "../../../src/castore/fs/file-system.js";
import type { ResidentSource } from "../../../src/castore/fs/projection.js";
import { ProvisionalSource } from "../../../src/castore/fs/provisional-source.js";
import { INLINE_BYTES_MAX } from "../../../src/castore/local/blob-record.js";
import { bytes } from "../../support/bytes.js";
import { DIRECTORY } from "../../vectors/directories.js";

const MADE_UP = B3Digest.of(bytes("made up"));
const REAL = B3Digest.of(bytes("real"));
const LARGE = INLINE_BYTES_MAX + 1;

/** Has the blob {@link REAL}, and no directory. */
const inner: ResidentSource = {
  refresh: () => {},
  directory: () => {
    throw new StoreError("dangling-reference", "no directory");
  },
  read: (digest, _size, _offset, target) => {
    expect(digest).toBe(REAL);
    return target.length;
  },
  blobFile: (digest) => `/blobs/${digest.hex}`,
  capacity: () => ({ totalBytes: 1, freeBytes: 1, inodes: 1 }),
};

function sourceWith(blob: B3Digest | undefined): ProvisionalSource {
  return new ProvisionalSource(inner, {
    directory: (digest) => (digest.equals(DIRECTORY.b.digest) ? DIRECTORY.b : undefined),
    file: (digest) => (digest.equals(MADE_UP) ? { blob } : undefined),
  });
}

const target = Buffer.alloc(4);
const miss = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return error instanceof Miss ? error.want : error;
  }
};

describe("ProvisionalSource", () => {
  it("misses what a made-up digest stands for until that is known", () => {
    const want = { type: "provisional-file", digest: MADE_UP.hex };
    const source = sourceWith(undefined);
    expect(miss(() => source.read(MADE_UP, 9, 0, target))).toEqual(want);
    expect(miss(() => source.blobFile(MADE_UP, LARGE))).toEqual(want);
    expect(sourceWith(REAL).read(MADE_UP, 9, 0, target)).toBe(4);
    expect(sourceWith(REAL).blobFile(MADE_UP, LARGE)).toBe(`/blobs/${REAL.hex}`);
  });

  it("needs no content to know that there is none, or that it is no file", () => {
    expect(sourceWith(undefined).read(MADE_UP, 9, 9, target)).toBe(0);
    for (const blob of [undefined, REAL]) {
      expect(sourceWith(blob).blobFile(MADE_UP, INLINE_BYTES_MAX)).toBeUndefined();
    }
  });

  it("passes real digests on, and directories nobody knows", () => {
    const source = sourceWith(undefined);
    expect(source.read(REAL, 9, 0, target)).toBe(4);
    expect(source.blobFile(REAL, 1)).toBe(`/blobs/${REAL.hex}`);
    expect(source.directory(DIRECTORY.b.digest)).toBe(DIRECTORY.b);
    expect(() => source.directory(REAL)).toThrow(
      expect.objectContaining({ code: "dangling-reference" }),
    );
  });
});
