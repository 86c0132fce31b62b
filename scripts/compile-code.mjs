/**
 * Runs what users run, each command once, and writes the compiled code of the functions that were called to
 * dist/compiled-code, from where `src/cli/compiled-code.ts` takes it.
 */
import { execFile as execFileCallback, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { INDEX_LENGTH_BYTES, nodeBuild } from "../build/cli/compiled-code.js";

const RESULT = "dist/compiled-code";
/** Each command takes a second at most; a build must not wait for ever for one that stands still. */
const TIMEOUT_MS = 60_000;
const execFile = promisify(execFileCallback);
const folder = mkdtempSync(join(tmpdir(), "tvix-store-code-"));
const codeFolder = join(folder, "codes");
mkdirSync(codeFolder);
/** Without what somebody has set for programs of their own. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(TVIX_|NODE_)|_SERVICE_ADDR$/.test(name)),
);
const recorder = new URL("record-code.mjs", import.meta.url).href;

function start(args) {
  return spawn(process.execPath, ["--import", recorder, "dist/cli/main.js", ...args], {
    env: { ...environment, CODE_FOLDER: codeFolder, TVIX_STORE_DIR: join(folder, "store") },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
}

/** What the command prints. */
async function run(...args) {
  const child = start(args);
  const ended = once(child, "close");
  const said = [];
  child.stderr.on("data", (piece) => said.push(piece));
  const printed = [];
  for await (const piece of child.stdout) printed.push(piece);
  const [status] = await ended;
  if (status !== 0) throw new Error(`tvix-store ${args.join(" ")}: ${Buffer.concat(said)}`);
  return Buffer.concat(printed).toString().trimEnd();
}

/** Runs `use` while the command runs, once it has said what matches `ready`; ends it as Ctrl-C does. */
async function runMeanwhile(args, ready, use) {
  const child = start(args);
  child.stdout.resume();
  const lines = [];
  const ended = once(child, "exit");
  const isReady = new Promise((resolve) => {
    createInterface(child.stderr).on("line", (line) => {
      lines.push(line);
      const found = ready.exec(line);
      if (found !== null) resolve(found);
    });
  });
  const found = await Promise.race([isReady, ended.then(() => undefined)]);
  if (found === undefined) throw new Error(`tvix-store ${args.join(" ")}: ${lines.join("\n")}`);
  try {
    return await use(found);
  } finally {
    child.kill("SIGINT");
    await ended;
  }
}

/** A binary cache on a web server, which is all that a mount asks for. */
async function serveFolder(root) {
  const server = createServer(({ url }, response) => {
    const file = join(root, url);
    if (existsSync(file)) createReadStream(file).pipe(response);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Small files, a large one, a folder in a folder, a symlink, and something to run. */
function makeTree(place) {
  mkdirSync(join(place, "bin"), { recursive: true });
  for (let index = 0; index < 200; index++) {
    writeFileSync(join(place, `file ${index}`), `${index}\n`.repeat(index));
  }
  writeFileSync(join(place, "large"), randomBytes(6 * 1024 * 1024));
  writeFileSync(join(place, "bin", "program"), "#!/bin/sh\necho program\n", { mode: 0o755 });
  symlinkSync("bin/program", join(place, "link"));
}

async function runCommands() {
  const tree = join(folder, "tree");
  makeTree(tree);
  const storePath = await run("import", tree);
  await run("ls", storePath);
  await run("ls", "--json", storePath);
  await run("cat", `${storePath}/large`);
  await run("readlink", `${storePath}/link`);
  await run("path-info", "--json", storePath);
  await run("nar", "dump", storePath);
  await run("--help");

  const cache = join(folder, "cache");
  const secretKey = join(folder, "secret-key");
  const publicKey = await run("key", "generate", "-o", secretKey, "compile-1");
  for (const compression of ["xz", "zstd"]) {
    const place = `${cache}?compression=${compression}&secret-key=${secretKey}`;
    await run("copy", "--to", `nix+file://${place}`, storePath);
    const server = await serveFolder(cache);
    const url = `http://127.0.0.1:${server.address().port}`;
    const trust = ["--substituter", url, "--trusted-public-key", publicKey];
    await run("prefetch", "--store-dir", join(folder, compression), ...trust, storePath);
    await runInMount(storePath, ["--store-dir", join(folder, `${compression}-mount`), ...trust]);
    server.close();
    rmSync(cache, { recursive: true });
  }

  const daemon = ["daemon", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
  await runMeanwhile(daemon, /^listening on (.*)/, async ([, address]) => {
    await run(
      "copy",
      "--from",
      `grpc+http://${address}`,
      "--store-dir",
      join(folder, "copied"),
      storePath,
    );
  });
}

/** A program that is built where it cannot mount is as good, only that its mounts come about later. */
async function runInMount(storePath, options) {
  const place = join(folder, "mount");
  const mounted = join(place, basename(storePath));
  const readFiles = async () => {
    // By a shell: to start a program waits for its file, which this process has a part in.
    const all = 'set -e; "$0/bin/program"; ls -lR "$0"; cat "$0/large" > "$1"';
    // The thread that serves from the second second on has its own part to do.
    const later = 'sleep 2; ls -lR "$0"; cat "$0"/file* > "$1"';
    const script = `${all}; ${later}`;
    await execFile("sh", ["-c", script, mounted, join(folder, "large")], { timeout: TIMEOUT_MS });
  };
  try {
    await runMeanwhile(["mount", place, ...options], /^mounted /, readFiles);
  } catch (error) {
    console.warn(`The code of mounts is not compiled ahead: ${error.message}`);
  }
}

/** All codes in one file, as `CodeIndex` says. */
function pack() {
  const codes = {};
  const parts = [];
  let end = 0;
  for (const key of readdirSync(codeFolder)) {
    const code = readFileSync(join(codeFolder, key));
    codes[key] = [end, code.length];
    end += code.length;
    parts.push(code);
  }
  const index = Buffer.from(JSON.stringify({ node: nodeBuild(), codes }));
  const length = Buffer.alloc(INDEX_LENGTH_BYTES);
  length.writeUInt32LE(index.length);
  return Buffer.concat([length, index, ...parts]);
}

try {
  // Modules that it has code for would not come to the recorder.
  rmSync(RESULT, { force: true });
  await runCommands();
  writeFileSync(RESULT, pack());
} finally {
  rmSync(folder, { recursive: true });
}
