/**
 * What looking for references costs an import, against the same import without: `make bench-references`.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeMachine } from "./support/machine.js";
import { CLI, inRepository, run } from "./support/run.js";
import { inTurn, median, medianRatio } from "./support/statistics.js";

const ROUNDS = 9;
const TARGET = 1.2;
const CANDIDATES = 10_000;
const ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz";

/** What there is to scan: what cannot be compressed, what programs are, what people write. */
const TREES: Readonly<Record<string, (path: string) => void>> = {
  "random bytes, 512 MiB": (path) => {
    for (let index = 0; index < 8; index++)
      writeFileSync(join(path, `${index}`), randomBytes(2 ** 26));
  },
  "a program, 4 copies": (path) => {
    for (let index = 0; index < 4; index++) cpSync(process.execPath, join(path, `${index}`));
  },
  node_modules: (path) => cpSync(inRepository("node_modules"), path, { recursive: true }),
};

const folder = mkdtempSync(join(tmpdir(), "tvix-store-bench-"));
try {
  console.log(describeMachine(folder));
  const list = join(folder, "list");
  writeFileSync(list, Array.from({ length: CANDIDATES }, storePath).join("\n"));
  for (const [title, make] of Object.entries(TREES)) {
    const tree = join(folder, "tree");
    mkdirSync(tree);
    make(tree);
    const variants = ["none", list].map((references) => ({ references, tookMs: [] as number[] }));
    // The first round only warms the caches up.
    for (let round = -1; round < ROUNDS; round++) {
      for (const { references, tookMs } of inTurn(variants, round)) {
        const store = mkdtempSync(join(folder, "store-"));
        const started = performance.now();
        run(process.execPath, [CLI, "import", "--name", "tree", "--references", references, tree], {
          TVIX_STORE_DIR: store,
        });
        if (round >= 0) tookMs.push(performance.now() - started);
        rmSync(store, { recursive: true });
      }
    }
    const [without, scanning] = variants.map(({ tookMs }) => tookMs) as [number[], number[]];
    const ratio = medianRatio(scanning, without);
    const verdict = ratio <= TARGET ? "met" : "NOT MET";
    console.log(
      `${title.padEnd(24)}${median(without).toFixed(0).padStart(6)} ms, looking for ${CANDIDATES} paths` +
        `${median(scanning).toFixed(0).padStart(6)} ms${ratio.toFixed(2).padStart(6)}×` +
        `  target: at most ${TARGET.toFixed(1)}×, ${verdict}`,
    );
    rmSync(tree, { recursive: true });
  }
} finally {
  rmSync(folder, { recursive: true });
}

function storePath(): string {
  const hash = Array.from(randomBytes(32), (byte) => ALPHABET[byte & 31]).join("");
  return `/nix/store/${hash}-x`;
}
