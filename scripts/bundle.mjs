/**
 * From the modules that the compiler wrote to build/ to what is installed: dist/cli/main.js, the programs of
 * threads beside it, and parts that main.js loads when it needs them. Few files are found and read much
 * sooner than many: docs/decisions/0011-bundle.md.
 */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "rolldown";

/**
 * Loaded by every command or there as ES modules only, and nothing but JavaScript, or all but one addon. All other
 * packages stay where they are installed.
 */
const BUNDLED = ["yargs", "lru-cache", "mime", "lmdb"];

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const external = Object.keys(dependencies)
  .filter((name) => !BUNDLED.includes(name))
  .map((name) => new RegExp(`^${name}(/|$)`));

/** LMDB's addon is found in our own way. It is given bytes only: what packs other values for it does without an addon. */
const ADDONS = {
  "node-gyp-build-optional-packages": resolve("build/castore/local/lmdb-addon.js"),
  msgpackr: resolve("node_modules/msgpackr/index.js"),
};

// By name, the module that runs first. Each by itself: a thread is ready sooner when all that it needs is in one file.
const PROGRAMS = {
  main: "start",
  "mount-worker": "start-mount-worker",
  "restore-worker": "restore-worker",
};
/** The folders of all packages that have come into it. */
const packages = new Set();
for (const [index, [name, module]] of Object.entries(PROGRAMS).entries()) {
  const { output } = await build({
    input: { [name]: `build/cli/${module}.js` },
    platform: "node",
    external,
    resolve: { alias: ADDONS },
    // LMDB's package calls it, for its keys.
    checks: { eval: false },
    output: {
      dir: "dist",
      format: "cjs",
      comments: { legal: true, annotation: false, jsdoc: false },
      minify: {
        compress: false,
        mangle: false,
        codegen: { removeWhitespace: false, asciiOnly: true },
      },
      cleanDir: index === 0,
      // As deep as the modules they are made of, which look for files of the package from where they are.
      entryFileNames: "cli/[name].js",
      chunkFileNames: "cli/[name]-[hash].js",
    },
  });
  for (const { moduleIds } of output) {
    for (const id of moduleIds) {
      const folder = /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id);
      if (folder !== null) packages.add(folder[0]);
    }
  }
}
writeFileSync("dist/LICENSES", [...packages].map(licenseOf).sort().join("\n"));
// Node finds, reads and links CommonJS in half the time of modules.
writeFileSync("dist/package.json", '{ "type": "commonjs" }\n');
chmodSync("dist/cli/main.js", 0o755);

/** What a copy of a package has to come with. */
function licenseOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? "" : `\n${readFileSync(join(folder, file), "utf8")}`;
  return `${name} ${version}: ${license}\n${text}`;
}
