import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { IndexDatabase } from "../../../src/castore/local/index-database.js";
import { noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

const KEY_BYTES = 32;
/** The file grows by this when room is made, by anything when LMDB writes past its end. */
const STEP_BYTES = 1024 * 1024;
const folder = temporaryFolder();

describe("The room made for a commit", () => {
  it.each([
    ["one small value", 1, 40, 300],
    ["values that share pages", 2000, 300, 20],
    ["values of half a page", 500, 1990, 20],
    ["values with a page each", 500, 2040, 20],
    ["values of many pages", 60, 65_536, 20],
    ["empty values", 6000, 0, 20],
  ])("is enough for %s", async (name, count, size, commits) => {
    const path = join(folder, name);
    mkdirSync(path);
    const index = IndexDatabase.open(path);
    const table = index.table("blobs");
    const file = join(path, "data.mdb");
    const first = statSync(file).size;
    const value = noise(size);
    for (let commit = 1; commit <= commits; commit++) {
      const keys = noise(count * KEY_BYTES, commit);
      await index.commit(() => {
        for (let at = 0; at < keys.length; at += KEY_BYTES) {
          table.put(keys.subarray(at, at + KEY_BYTES), value);
        }
      }, 0);
      const grown = statSync(file).size - first;
      expect(grown).toBeGreaterThan(0);
      expect(grown % STEP_BYTES).toBe(0);
    }
    expect(table.count).toBe(count * commits);
    await index.close();
  });
});
