/**
 * How long the command line takes to do next to nothing, against Node itself: `make bench`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLI, run } from "./support/run.js";
import { inTurn, median, medianRatio } from "./support/statistics.js";

const ROUNDS = 21;
const TARGET = 3;

const folder = mkdtempSync(join(tmpdir(), "tvix-store-bench-"));
try {
  const environment = { TVIX_STORE_DIR: join(folder, "store") };
  const tree = join(folder, "tree");
  mkdirSync(tree);
  for (let index = 0; index < 20; index++) writeFileSync(join(tree, `file ${index}`), `${index}`);
  const storePath = run(process.execPath, [CLI, "import", tree], environment).trimEnd();

  const variants = [
    { title: "node -e 0", args: ["-e", "0"] },
    { title: "tvix-store --version", args: [CLI, "--version"] },
    { title: "tvix-store ls", args: [CLI, "ls", storePath] },
  ].map((variant) => ({ ...variant, tookMs: [] as number[] }));
  const [base] = variants;
  // The first round only warms the caches up.
  for (let round = -1; round < ROUNDS; round++) {
    for (const { args, tookMs } of inTurn(variants, round)) {
      const started = performance.now();
      const { status } = spawnSync(process.execPath, args, {
        env: { ...process.env, ...environment },
        stdio: "ignore",
      });
      if (status !== 0) throw new Error(`node ${args.join(" ")} gave ${status}`);
      if (round >= 0) tookMs.push(performance.now() - started);
    }
  }

  for (const { title, tookMs } of variants) {
    const ratio = medianRatio(tookMs, base?.tookMs ?? []);
    const verdict = ratio <= TARGET ? "met" : "NOT MET";
    const target =
      title === base?.title ? "" : `  target: at most ${TARGET.toFixed(1)}×, ${verdict}`;
    console.log(
      `${title.padEnd(22)}${median(tookMs).toFixed(0).padStart(5)} ms${ratio.toFixed(2).padStart(7)}×${target}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
