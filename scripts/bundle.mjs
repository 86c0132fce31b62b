/**
 * From the modules that the compiler wrote to build/ to what is installed: dist/cli/main.js, the program of a thread
 * that serves a mount beside it, and parts that they load when they need them. Few files are found and read much
 * sooner than many: docs/decisions/0011-bundle.md.
 */
import { chmodSync, readFileSync } from "node:fs";
import { build } from "rolldown";

/** Loaded by every command, and nothing but JavaScript. All other packages stay where they are installed. */
const BUNDLED = ["yargs", "lru-cache"];

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const installed = Object.keys(dependencies).filter((name) => !BUNDLED.includes(name));

await build({
  input: {
    main: "build/cli/main.js",
    "mount-worker": "build/cli/mount-worker.js",
  },
  platform: "node",
  external: installed.map((name) => new RegExp(`^${name}(/|$)`)),
  output: {
    dir: "dist",
    cleanDir: true,
    // As deep as the modules they are made of, which look for files of the package from where they are.
    entryFileNames: "cli/[name].js",
    chunkFileNames: "cli/[name]-[hash].js",
  },
});
chmodSync("dist/cli/main.js", 0o755);
