/**
 * A thread that opens and releases inodes at random while others do the same, and throws as soon as two of
 * them see an inode under two backing ids, or one that is not registered.
 */
import { openSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { BackingFiles } from "../../../../build/fuse/kernel/backing-files.js";

/** By backing id: whether it is registered. By inode: the id seen last. `next` is the id given last. */
const { table, alive, seen, next, inodes, rounds } = workerData;

const calls = {
  open() {
    const id = Atomics.add(next, 0, 1) + 1;
    if (Atomics.exchange(alive, id, 1) !== 0) throw new Error(`${id} was registered twice`);
    return id;
  },
  close(_device, id) {
    if (Atomics.exchange(alive, id, 0) !== 1) throw new Error(`${id} was not registered`);
  },
};

const files = new BackingFiles(-1, table, calls);
const held = [];

function acquire(index) {
  const id = files.acquire(inodes[index], () => openSync("/dev/null"));
  Atomics.store(seen, index, id);
  held.push({ index, id });
}

function release() {
  const [{ index, id }] = held.splice(Math.floor(Math.random() * held.length), 1);
  if (Atomics.load(alive, id) !== 1) throw new Error(`${id} is gone while open`);
  if (Atomics.load(seen, index) !== id) throw new Error(`Inode ${inodes[index]} has two ids`);
  files.release(inodes[index]);
}

for (let round = 0; round < rounds; round++) {
  if (held.length === 0 || (held.length < 20 && Math.random() < 0.5)) {
    acquire(Math.floor(Math.random() * inodes.length));
  } else {
    release();
  }
}
while (held.length > 0) release();
