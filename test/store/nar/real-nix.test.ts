/**
 * Compares our NARs with those of Nix itself, where it is installed. `nix-store --dump` needs no store.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderNar } from "../../../src/store/nar/render.js";
import { collect, noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import {
  directory,
  file,
  memoryServices,
  storeTree,
  type Tree,
  treeArbitrary,
  writeTreeToDisk,
} from "../support/tree.js";

function nixVersion(): string | undefined {
  try {
    // Not nix-store --version: that makes /nix.
    return execFileSync("nix", ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return undefined;
  }
}

const version = nixVersion();
if (version === undefined) console.warn("skipped: there is no nix-store on PATH to compare with");

describe.skipIf(version === undefined)("renderNar() beside nix-store --dump", () => {
  const folder = temporaryFolder();
  let count = 0;

  async function compare(tree: Tree): Promise<void> {
    const path = join(folder, `${count++}`);
    writeTreeToDisk(tree, Buffer.from(path));
    const expected = execFileSync("nix-store", ["--dump", path], {
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const services = memoryServices();
    const rendered = await collect(renderNar(await storeTree(tree, services), services));
    expect(rendered.equals(expected)).toBe(true);
  }

  it.each(NAR_FIXTURES)("agrees on $title", async ({ tree }) => {
    await compare(tree);
  });

  it("agrees on files around every multiple of eight bytes, and large ones", async () => {
    const sizes = [0, 1, 7, 8, 9, 15, 16, 17, 16_383, 16_384, 65_535, 65_537, 131_073, 3_000_001];
    await compare(
      directory(
        Object.fromEntries(sizes.map((size) => [`${size}`, file(noise(size), size % 2 > 0)])),
      ),
    );
  });

  it("agrees on generated trees, names that are not UTF-8 included", async () => {
    await fc.assert(fc.asyncProperty(treeArbitrary, compare), { numRuns: 60 });
  });
});
