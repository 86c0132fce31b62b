/**
 * Mounts a folder and answers the kernel by hand: `node serve-device.mjs MOUNT-POINT OPTIONS-JSON`. Prints
 * `mounted` with the mount and how long it took, or `failed` with the error, as JSON. Lines on stdin steer
 * it: `spawn` starts a child that stays, `close-watcher`, `close-and-die`. With the option `backing`, a file, the folder
 * holds `backed`, which the kernel is to read from that file.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, read, statSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { BackingFiles } from "../../../../build/fuse/kernel/backing-files.js";
import { mountDevice } from "../../../../build/fuse/kernel/device-mount.js";
import { raiseReadAhead } from "../../../../build/fuse/kernel/read-ahead.js";
import { startWatcher } from "../../../../build/fuse/kernel/watcher.js";
import { mountAt, readMountTable } from "../../../../build/fuse/mount-table.js";

const [mountPoint, json = "{}"] = process.argv.slice(2);
const { allowOther = false, watch = false, backing } = JSON.parse(json);

const INIT_EXTENSION = 1 << 30;
const PASSTHROUGH = 1 << 5;
const OPEN_PASSTHROUGH = (1 << 7) | (1 << 5);
const ENOENT = 2;
const ENOSYS = 38;
const BACKED = 2 ** 40 + 7;
const NOT_PASSED_THROUGH = Buffer.from("read by the server");

/** Two instances on one table, as two threads have them. */
let tables = [];

function init(request) {
  const passthrough = request.readUInt32LE(56) & PASSTHROUGH;
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(request.readUInt32LE(48), 8);
  body.writeUInt16LE(16, 16);
  body.writeUInt16LE(12, 18);
  body.writeUInt32LE(4096, 20);
  if (backing !== undefined) {
    body.writeUInt32LE(INIT_EXTENSION, 12);
    body.writeUInt32LE(passthrough, 32);
    body.writeUInt32LE(2, 36);
    console.log(`passthrough ${passthrough !== 0}`);
  }
  return body;
}

function attributes(inode) {
  const body = Buffer.alloc(88);
  body.writeBigUInt64LE(BigInt(inode), 0);
  if (inode === BACKED) body.writeBigUInt64LE(BigInt(statSync(backing).size), 8);
  body.writeUInt32LE(inode === BACKED ? 0o100444 : 0o40555, 60);
  body.writeUInt32LE(1, 64);
  return body;
}

function lookup(request) {
  const name = request.toString("latin1", 40, request.readUInt32LE(0) - 1);
  if (name !== "backed" || backing === undefined) return -ENOENT;
  const head = Buffer.alloc(40);
  head.writeBigUInt64LE(BigInt(BACKED), 0);
  return Buffer.concat([head, attributes(BACKED)]);
}

function open(request) {
  tables.reverse();
  const id = tables[0].acquire(inodeOf(request), () => openSync(backing));
  const body = Buffer.alloc(16);
  body.writeUInt32LE(OPEN_PASSTHROUGH, 8);
  body.writeInt32LE(id, 12);
  console.log(`opened ${id}`);
  return body;
}

function release(request) {
  tables.reverse();
  tables[0].release(inodeOf(request));
  console.log(`released, in use: ${new Int32Array(tables[0].shared)[1]}`);
  return Buffer.alloc(0);
}

const inodeOf = (request) => Number(request.readBigUInt64LE(16));

/** By request number. Bytes, or a negative errno. */
const answers = new Map([
  [26, init],
  [3, (request) => Buffer.concat([Buffer.alloc(16), attributes(inodeOf(request))])],
  [1, lookup],
  [14, open],
  [15, () => NOT_PASSED_THROUGH],
  [18, release],
  [17, () => Buffer.alloc(80)],
  [27, () => Buffer.alloc(16)],
  [28, () => Buffer.alloc(0)],
]);

function serve(device, onReady) {
  const request = Buffer.alloc(0x21000);
  read(device, request, 0, request.length, null, (error) => {
    if (error !== null) {
      if (error.code !== "ENODEV") throw error;
      closeSync(device);
      return;
    }
    const answer = answers.get(request.readUInt32LE(4))?.(request) ?? -ENOSYS;
    const body = typeof answer === "number" ? Buffer.alloc(0) : answer;
    const header = Buffer.alloc(16);
    header.writeUInt32LE(16 + body.length, 0);
    header.writeInt32LE(typeof answer === "number" ? answer : 0, 4);
    request.copy(header, 8, 8, 16);
    // FORGET, one by one or in batches, has no answer.
    if (![2, 42].includes(request.readUInt32LE(4)))
      writeSync(device, Buffer.concat([header, body]));
    onReady?.();
    serve(device);
  });
}

const log = { debug: (_fields, message) => console.log(message) };
let watcher;

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "close-watcher") watcher.close();
  if (line === "close-and-die") {
    watcher.close();
    process.kill(process.pid, "SIGKILL");
  }
  if (line === "spawn") spawn("sleep", ["5"], { stdio: "ignore" });
  console.log(`done ${line}`);
});

try {
  const started = performance.now();
  const device = await mountDevice({ mountPoint, allowOther });
  const tookMs = performance.now() - started;
  const first = new BackingFiles(device);
  tables = [first, new BackingFiles(device, first.shared)];
  if (watch) watcher = startWatcher(mountPoint);
  serve(device, () => {
    const entry = mountAt(readMountTable(), mountPoint);
    raiseReadAhead(entry.device, log);
    console.log(`mounted ${JSON.stringify({ tookMs, ...entry })}`);
  });
} catch (error) {
  console.log(`failed ${JSON.stringify({ code: error.code, message: error.message })}`);
  process.exit(1);
}
