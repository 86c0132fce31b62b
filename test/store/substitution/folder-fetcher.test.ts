import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FolderFetcher } from "../../../src/store/substitution/folder-fetcher.js";
import { collect, noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

const parent = temporaryFolder();
const folder = join(parent, "cache");
mkdirSync(join(folder, "nar"), { recursive: true });
writeFileSync(join(parent, "secret"), "secret");
writeFileSync(join(folder, "small"), "small");
const large = noise(3_000_000, 1);
writeFileSync(join(folder, "nar", "a%20b.nar"), large);
execFileSync("mkfifo", [join(folder, "pipe")]);
const fetcher = new FolderFetcher("file:///cache", folder);

async function contentOf(place: string): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  const stream = await fetcher.stream(place);
  if (stream === undefined) return undefined;
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("FolderFetcher", () => {
  test("reads files, and takes names as they are", async () => {
    expect(String(await fetcher.read("small", 5))).toBe("small");
    expect((await contentOf("nar/a%20b.nar"))?.equals(large)).toBe(true);
  });

  test.each([
    [0, 5],
    [1_500_000, 1_200_000],
    [2_999_990, 100],
  ])("reads %i and %i bytes more, as far as there are so many", async (offset, length) => {
    const part = await fetcher.part("nar/a%20b.nar", { offset, length });
    const found = await collect(part as AsyncIterable<Uint8Array>);
    expect(found.equals(large.subarray(offset, offset + length))).toBe(true);
    expect(await fetcher.part("nar/absent", { offset, length })).toBeUndefined();
  });

  test("lacks what is not there", async () => {
    expect(await fetcher.read("absent", 5)).toBeUndefined();
    expect(await contentOf("nar/absent")).toBeUndefined();
  });

  test.each(["../secret", "nar/../../secret", "/../secret", "file:///etc/passwd", ""])(
    "refuses %j: it is outside",
    async (place) => {
      await expect(fetcher.stream(place)).rejects.toMatchObject({ code: "invalid-argument" });
    },
  );

  test("refuses what is too large, and what is no plain file", async () => {
    await expect(fetcher.read("small", 4)).rejects.toMatchObject({ code: "limit-exceeded" });
    await expect(fetcher.read("pipe", 4)).rejects.toMatchObject({ code: "unavailable" });
    await expect(fetcher.stream("nar")).rejects.toMatchObject({ code: "unavailable" });
  });

  test("does not take a folder that is gone for one that lacks something", async () => {
    const gone = new FolderFetcher("file:///gone", join(parent, "gone"));
    await expect(gone.read("small", 5)).rejects.toMatchObject({ code: "unavailable" });
    await expect(gone.stream("small")).rejects.toMatchObject({ code: "unavailable" });
    const part = { offset: 0, length: 1 };
    await expect(gone.part("small", part)).rejects.toMatchObject({ code: "unavailable" });
  });
});
