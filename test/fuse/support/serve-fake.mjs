/**
 * Serves a file system in memory as a mount, for tests: `node serve-fake.mjs MOUNT-POINT [OPTIONS-JSON]`.
 * Prints `mounted DEST` and every log line to stdout. Lines on stdin steer it: `add NAME` adds a file to
 * the root, `throw` throws outside of every handler, `exit` calls process.exit.
 */
import { createInterface } from "node:readline";
import { StoreError } from "../../../dist/base/errors.js";
import { FuseNativeEngine } from "../../../dist/fuse/fuse-native-engine.js";
import { runMountSession } from "../../../dist/fuse/session.js";
import {
  brokenFile,
  countingFile,
  directory,
  file,
  MemoryFileSystem,
  symlink,
} from "./memory-file-system.mjs";

const [mountPoint, json = "{}"] = process.argv.slice(2);
const { listRoot = true, create = true, allowOther = true } = JSON.parse(json);

function throwing(code, message) {
  return () => {
    throw new StoreError(code, message);
  };
}

function deep(levels, node) {
  return levels === 0 ? node : directory([["d".repeat(200), deep(levels - 1, node)]]);
}

const fileSystem = new MemoryFileSystem(
  [
    ["hello", file("hello\n")],
    ["script", file("#!/bin/sh\necho ran\n", true)],
    ["empty", directory([])],
    ["dir", directory([["file with space\n and newline", file("inside\n")]])],
    ["link", symlink("dir/file with space\n and newline")],
    ["dangling", symlink("nowhere")],
    ["long-link", symlink("x".repeat(4095))],
    ["name-255", directory([["n".repeat(255), file("long\n")]])],
    ["many", directory(Array.from({ length: 10_000 }, (_, n) => [`entry-${n}`, file(`${n}\n`)]))],
    ["big", countingFile(5 * 2 ** 30)],
    ["deep", deep(30, directory([["bottom", file("bottom\n")]]))],
    [
      "broken",
      directory([
        [
          "hole",
          brokenFile(throwing("dangling-reference", "Cannot read blob b3:feed: it is gone")),
        ],
        [
          "bug",
          brokenFile(() => {
            throw new TypeError("a bug");
          }),
        ],
      ]),
    ],
    [
      "bytes",
      directory([
        [Buffer.from([0xff]), file("ff\n")],
        [Buffer.from([0xfe]), file("fe\n")],
        ["\ufffd", file("replacement\n")],
        ["gr\u00fcn", file("utf-8\n")],
        ["bad-link", symlink(Buffer.from([0x61, 0xff]))],
      ]),
    ],
  ],
  listRoot ? {} : { refuseListing: throwing("permission-denied", "Cannot list the root") },
);

const say = (level) => (fields, message) =>
  console.log(JSON.stringify({ level, message, ...fields }));
const log = {
  debug: say("debug"),
  info: say("info"),
  warn: say("warn"),
  error: say("error"),
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const [command, name] = line.split(" ");
  if (command === "add") fileSystem.addToRoot(name, file(`${name}\n`));
  if (command === "throw") throw new Error("thrown outside of every handler");
  if (command === "exit") process.exit(7);
});

try {
  await runMountSession({
    engine: new FuseNativeEngine(fileSystem),
    mountPoint,
    create,
    allowOther,
    log,
    onMounted: (path) => console.log(`mounted ${path}`),
  });
  process.exit(0);
} catch (error) {
  console.log(`failed ${error.code}: ${error.message}`);
  process.exit(1);
}
