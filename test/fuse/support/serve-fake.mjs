/**
 * Serves a file system in memory as a mount, for tests: `node serve-fake.mjs MOUNT-POINT [OPTIONS-JSON]`.
 * Prints `mounted DEST`, `added NAME` and every log line to stdout, and with the kernel engine `fetching N`,
 * `brought N` and `gave up N` for each piece that is waited for. Lines on stdin steer it: `add NAME` adds a file to the
 * root, `bring N` lets piece N arrive, `fail N CODE` lets fetching it fail until then, `throw` throws outside of every
 * handler, `exit` calls process.exit.
 */
import { createInterface } from "node:readline";
import { StoreError } from "../../../build/base/errors.js";
import { FuseNativeEngine } from "../../../build/fuse/fuse-native-engine.js";
import { WorkerPool } from "../../../build/fuse/kernel/worker-pool.js";
import { KernelEngine } from "../../../build/fuse/kernel-engine.js";
import { runMountSession } from "../../../build/fuse/session.js";
import { fakeLog } from "./fake-log.mjs";
import { FakeState, fakeFileSystem } from "./fake-tree.mjs";

const [mountPoint, json = "{}"] = process.argv.slice(2);
const {
  engine = "fuse-native",
  threads = 2,
  earlyLimits,
  listRoot = true,
  create = true,
  allowOther = true,
} = JSON.parse(json);

const state = new FakeState();
const recipe = { listRoot, memory: state.memory };
const fileSystem = fakeFileSystem(recipe);

/** What waits for each piece, and why pieces cannot be had. */
const waiting = new Map();
const failing = new Map();

function fetch({ piece }, signal) {
  console.log(`fetching ${piece}`);
  return new Promise((resolve, reject) => {
    if (failing.has(piece)) reject(failing.get(piece));
    waiting.set(piece, [...(waiting.get(piece) ?? []), { resolve, reject }]);
    signal.addEventListener("abort", () => console.log(`gave up ${piece}`));
  });
}

function settle(piece, how) {
  for (const waiter of waiting.get(piece) ?? []) how(waiter);
  waiting.delete(piece);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const [command, argument, code] = line.split(" ");
  const piece = Number(argument);
  if (command === "add") {
    state.add(argument);
    console.log(`added ${argument}`);
  }
  if (command === "bring") {
    state.bring(piece);
    failing.delete(piece);
    settle(piece, ({ resolve }) => resolve());
    console.log(`brought ${piece}`);
  }
  if (command === "fail") {
    failing.set(piece, new StoreError(code, `Cannot fetch piece ${piece}`));
    settle(piece, ({ reject }) => reject(failing.get(piece)));
  }
  if (command === "throw") throw new Error("thrown outside of every handler");
  if (command === "exit") process.exit(7);
});

/** Says when one of its threads begins to serve. */
class TellingPool extends WorkerPool {
  serve(start, onMessage) {
    super.serve(start, (message) => {
      onMessage(message);
      if (message.type === "serving") console.log("a thread serves");
    });
  }
}

const engines = {
  "fuse-native": () => new FuseNativeEngine(fileSystem),
  kernel: () => {
    const module = new URL("fake-worker.mjs", import.meta.url);
    const pool = new TellingPool({ module, recipe, count: threads, log: fakeLog });
    return new KernelEngine({ pool, earlyLimits, passthrough: false, fileSystem, fetch });
  },
};

try {
  await runMountSession({
    engine: engines[engine](),
    mountPoint,
    create,
    allowOther,
    log: fakeLog,
    onMounted: (path) => console.log(`mounted ${path}`),
  });
  process.exit(0);
} catch (error) {
  console.log(`failed ${error.code}: ${error.message}`);
  process.exit(1);
}
