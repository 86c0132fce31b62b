import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { bulkSha256 } from "../../src/base/sha256.js";

const BYTES = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * index) >> 7));

test.each([
  ["nothing", []],
  ["little", [3]],
  ["much at once", [3_000_000]],
  ["much and little in turn", [1_000_000, 0, 7, 131_071, 131_072, 64, 1_500_000]],
])("The hash of %s is SHA-256, on another thread and on this one", async (_what, lengths) => {
  for (const portable of [false, true]) {
    const hash = bulkSha256({ portable });
    const expected = createHash("sha256");
    let offset = 0;
    for (const length of lengths) {
      const piece = BYTES.subarray(offset, offset + length);
      offset += length;
      expected.update(piece);
      await hash.update(piece);
    }
    expect(Buffer.from(hash.digest()).toString("hex")).toBe(expected.digest("hex"));
  }
});

test("This thread has time for other things while a large piece is hashed", async () => {
  let hadTime = false;
  const immediate = setImmediate(() => (hadTime = true));
  await bulkSha256().update(Buffer.alloc(64 * 1024 * 1024));
  clearImmediate(immediate);
  expect(hadTime).toBe(true);
});

test("More hashes at once than other threads take are right all the same", async () => {
  const piece = BYTES.subarray(0, 200_000);
  const hashes = Array.from({ length: 600 }, () => bulkSha256());
  await Promise.all(hashes.map((hash) => hash.update(piece)));
  const digests = new Set(hashes.map((hash) => Buffer.from(hash.digest()).toString("hex")));
  expect([...digests]).toEqual([createHash("sha256").update(piece).digest("hex")]);
});
