import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { makeGeneratedTree } from "../support/generated-tree.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

if (nixObstacle !== undefined) console.warn(`Comparison with Nix skipped: ${nixObstacle}`);

const DEEP_LEVELS = 250;

/** Seconds on an idle machine. */
const TIMEOUT_MS = 300_000;

const makers: Record<string, (path: string) => void> = {
  "a-file": (path) => writeFileSync(path, "Hello World!"),
  "an-empty-file": (path) => writeFileSync(path, ""),
  "a-large-file": (path) => writeFileSync(path, noise(10_000_001)),
  "an-executable": (path) => writeFileSync(path, "#!/bin/sh\n", { mode: 0o755 }),
  "executable-by-the-owner-only": (path) => {
    writeFileSync(path, "x");
    chmodSync(path, 0o700);
  },
  "executable-by-others-only": (path) => {
    writeFileSync(path, "x");
    chmodSync(path, 0o655);
  },
  "an-empty-folder": (path) => mkdirSync(path),
  "a-symlink": (path) => symlinkSync("no/such/target", path),
  "a-deep-tree": (path) => {
    const bottom = join(path, ...Array.from({ length: DEEP_LEVELS }, () => "d"));
    mkdirSync(bottom, { recursive: true });
    writeFileSync(join(bottom, "file"), "bottom");
  },
  "20000-files": (path) => {
    for (let index = 0; index < 20_000; index++) {
      const parent = join(path, `${index % 40}`);
      if (index < 40) mkdirSync(parent, { recursive: true });
      writeFileSync(join(parent, `${index}`), noise(index % 300, index + 1));
    }
  },
  "names-differing-only-in-case": (path) => {
    mkdirSync(path);
    for (const name of ["a", "A", "ab", "Ab", "aB", "AB", "ä", "Ä", "a.", "a-", "a0", "a/"]) {
      if (name.endsWith("/")) mkdirSync(join(path, `${name.slice(0, -1)}-folder`));
      else writeFileSync(join(path, name), name);
    }
  },
  "a-255-byte-name": (path) => {
    mkdirSync(path);
    writeFileSync(join(path, "n".repeat(255)), "x");
    symlinkSync("n".repeat(255), join(path, "é".repeat(127)));
  },
  "everything-else": (path) => makeGeneratedTree(path, { bytes: true }),
  "-._+?=0": (path) => writeFileSync(path, "a name of unusual characters"),
};

describe.skipIf(nixObstacle !== undefined)(
  "An import has the store path and the NAR that Nix gives it:",
  () => {
    const folder = temporaryFolder();
    const store = new TestStore();
    const nix = new RealNix();

    test.each(Object.keys(makers))(
      "%s",
      async (name) => {
        const source = join(folder, name);
        makers[name]?.(source);
        const path = await store.import(source);
        expect(path).toBe(await nix.add(source));

        const nar = await nix.dump(source);
        expect((await store.narDump(path)).equals(nar)).toBe(true);
        const [info] = JSON.parse(await store.output("path-info", "--json", path));
        const hash = createHash("sha256").update(nar).digest("base64");
        expect(info).toMatchObject({ narHash: `sha256-${hash}`, narSize: nar.length });
      },
      TIMEOUT_MS,
    );

    test(
      "and Nix unpacks our NAR to the same tree",
      async () => {
        const source = join(folder, "everything-else");
        const path = await store.import(source);
        await nix.restore(await store.narDump(path), join(folder, "restored"));
        expect((await nix.dump(join(folder, "restored"))).equals(await nix.dump(source))).toBe(
          true,
        );
      },
      TIMEOUT_MS,
    );
  },
);
