/**
 * A `FileSystem` in memory, for tests. Plain JavaScript, so that the processes that serve real mounts run
 * it as it is; its types are in the file beside it.
 */
const ROOT_INODE = 1;

export function directory(entries) {
  const named = entries.map(([name, node]) => [Buffer.from(name), node]);
  return { type: "directory", entries: named, byName: new Map(named.map(keyed)) };
}

export function file(content, executable = false) {
  const bytes = Buffer.from(content);
  const read = (offset, target) => bytes.copy(target, 0, Math.min(offset, bytes.length));
  return { type: "file", executable, size: bytes.length, read };
}

/** A file of `size` bytes, each eight of which hold their own offset. */
export function countingFile(size) {
  const read = (offset, target) => {
    const length = Math.max(0, Math.min(target.length, size - offset));
    for (let index = 0; index < length; index++) {
      const position = offset + index;
      const word = position - (position % 8);
      target[index] = Math.floor(word / 256 ** (position % 8)) % 256;
    }
    return length;
  };
  return { type: "file", executable: false, size, read };
}

export function symlink(target) {
  return { type: "symlink", target: Buffer.from(target) };
}

/** A file that is seen but cannot be read. */
export function brokenFile(fail) {
  return { type: "file", executable: false, size: 10, read: fail };
}

function keyed([name, node]) {
  return [keyOf(name), node];
}

function keyOf(name) {
  return Buffer.from(name).toString("latin1");
}

export class MemoryFileSystem {
  #inodes = new Map();
  #next = ROOT_INODE;
  #refuseListing;

  constructor(entries, { refuseListing } = {}) {
    this.#refuseListing = refuseListing;
    this.#enter(directory(entries));
  }

  addToRoot(name, node) {
    const { entries, byName } = this.#inodes.get(ROOT_INODE);
    const entry = [Buffer.from(name), node];
    entries.push(entry);
    byName.set(...keyed(entry));
    this.#enter(node);
  }

  lookup(parent, name) {
    const found = this.#directory(parent).byName.get(keyOf(name));
    return found && this.#attributesOf(found);
  }

  attributes(inode) {
    return this.#attributesOf(this.#node(inode));
  }

  list(inode) {
    if (inode === ROOT_INODE) this.#refuseListing?.();
    const { entries } = this.#directory(inode);
    return {
      count: entries.length,
      name: (index) => entries[index][0],
      attributes: (index) => this.#attributesOf(entries[index][1]),
      cookie: (index) => index + 1,
      indexAfter: (cookie) => cookie,
    };
  }

  readLink(inode) {
    return this.#node(inode).target;
  }

  read(inode, offset, target) {
    return this.#node(inode).read(offset, target);
  }

  backingFile() {
    return undefined;
  }

  extendedAttributes(inode) {
    return new Map([["user.test.inode", String(inode)]]);
  }

  capacity() {
    return { totalBytes: 2 ** 50, freeBytes: 2 ** 49, inodes: this.#inodes.size };
  }

  #enter(node) {
    node.inode = this.#next++;
    this.#inodes.set(node.inode, node);
    for (const [, child] of node.entries ?? []) this.#enter(child);
  }

  #directory(inode) {
    const node = this.#node(inode);
    if (node.type !== "directory") throw new TypeError("Not a directory");
    return node;
  }

  #node(inode) {
    const node = this.#inodes.get(inode);
    if (node === undefined) throw new RangeError(`No inode ${inode}`);
    return node;
  }

  #attributesOf(node) {
    const { inode, type, executable = false } = node;
    const size = node.size ?? node.target?.length ?? node.entries.length;
    return { inode, type, executable, size, mtimeMs: 1000 };
  }
}
