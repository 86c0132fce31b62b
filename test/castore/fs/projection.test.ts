import { describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { B3Digest } from "../../../src/castore/digest.js";
import type { Directory, DirectoryEntry } from "../../../src/castore/directory.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import { ROOT_INODE } from "../../../src/castore/fs/file-system.js";
import { Projection, type ResidentSource } from "../../../src/castore/fs/projection.js";
import type { Node } from "../../../src/castore/node.js";
import { bytes } from "../../support/bytes.js";

/** A store in memory and a mount root over it. */
class World {
  readonly roots = new Map<string, Node>();
  readonly directories = new Map<string, Directory>();
  readonly blobs = new Map<string, Buffer>();
  /** Names of roots. */
  readonly unverified = new Set<string>();
  listable = true;
  changedAtMs = 5000;
  directoryReads = 0;

  readonly source: ResidentSource = {
    refresh: () => {},
    directory: (digest) => {
      this.directoryReads++;
      const directory = this.directories.get(digest.hex);
      if (directory !== undefined) return directory;
      throw new StoreError("dangling-reference", `Directory ${digest} is missing from the store`);
    },
    read: (digest, _size, offset, target) => {
      const blob = this.blobs.get(digest.hex);
      if (blob === undefined) throw new StoreError("dangling-reference", `no ${digest}`);
      return blob.copy(target, 0, offset);
    },
    blobFile: () => undefined,
    capacity: () => ({ totalBytes: 100, freeBytes: 50, inodes: 7 }),
  };

  readonly projection = new Projection(
    {
      lookup: (name) => this.roots.get(Buffer.from(name).toString("latin1")),
      list: () => {
        if (!this.listable) throw new StoreError("permission-denied", "listing is off");
        return [...this.roots.keys()].map((name) => Buffer.from(name, "latin1"));
      },
      changedAtMs: () => this.changedAtMs,
      isVerified: (name) => !this.unverified.has(Buffer.from(name).toString("latin1")),
    },
    this.source,
  );

  file(content: string, executable = false): Node {
    const blob = bytes(content);
    const digest = B3Digest.of(blob);
    this.blobs.set(digest.hex, blob);
    return { type: "file", digest, size: BigInt(blob.length), executable };
  }

  folder(entries: Record<string, Node>, convention: "documented" | "doubled" = "documented"): Node {
    const list: DirectoryEntry[] = Object.entries(entries).map(([name, node]) => ({
      name: Buffer.from(name, "latin1"),
      node,
    }));
    const directory = directoryFrom(list);
    this.directories.set(directory.digest.hex, directory);
    const doubled = convention === "doubled" ? BigInt(directory.count) : 0n;
    return { type: "directory", digest: directory.digest, size: directory.size + doubled };
  }

  /** The inode at `path`, found name by name. */
  inode(path: string): number {
    let inode = ROOT_INODE;
    for (const name of path.split("/")) {
      const found = this.projection.lookup(inode, Buffer.from(name, "latin1"));
      if (found === undefined) throw new Error(`${name} of ${path} is absent`);
      inode = found.inode;
    }
    return inode;
  }
}

function listed(world: World, inode: number): [string, number][] {
  const listing = world.projection.list(inode);
  return Array.from({ length: listing.count }, (_, index) => [
    Buffer.from(listing.name(index)).toString("latin1"),
    listing.attributes(index).inode,
  ]);
}

/** Every path below `inode` with its inode, as `find` would see it. */
function everything(world: World, inode: number, path = ""): [string, number][] {
  return listed(world, inode).flatMap(([name, child]) => {
    const below =
      world.projection.attributes(child).type === "directory"
        ? everything(world, child, `${path}/${name}`)
        : [];
    return [[`${path}/${name}`, child] as [string, number], ...below];
  });
}

function sampleWorld(convention: "documented" | "doubled"): World {
  const world = new World();
  const leaf = world.folder({ "f\xff": world.file("deep"), g: world.file("g", true) }, convention);
  const inner = world.folder({ a: leaf, b: leaf, c: world.file("c") }, convention);
  world.roots.set(
    "r1",
    world.folder({ inner, link: { type: "symlink", target: bytes("x") } }, convention),
  );
  world.roots.set("r2", world.file("root file"));
  world.roots.set(
    "r3",
    world.folder({ again: inner, zz: world.folder({}, convention) }, convention),
  );
  return world;
}

describe.each(["documented", "doubled"] as const)("Projection, %s sizes", (convention) => {
  it("gives every position an inode of its own", () => {
    const world = sampleWorld(convention);
    const all = everything(world, ROOT_INODE);
    expect(all.map(([path]) => path)).toContain("/r3/again/b/f\xff");
    expect(new Set(all.map(([, inode]) => inode)).size).toBe(all.length);
  });

  it("finds every position again from its number alone", () => {
    const world = sampleWorld(convention);
    const fresh = sampleWorld(convention);
    for (const root of world.roots.keys()) {
      world.inode(root);
      fresh.inode(root);
    }
    for (const [path, inode] of everything(world, ROOT_INODE)) {
      // `fresh` has never looked at anything below its roots.
      expect(fresh.projection.attributes(inode), path).toEqual(world.projection.attributes(inode));
    }
  });

  it("numbers the same way in listings and in lookups", () => {
    const world = sampleWorld(convention);
    for (const [path, inode] of everything(world, ROOT_INODE)) {
      expect(world.inode(path.slice(1)), path).toBe(inode);
    }
  });
});

describe("Projection", () => {
  it("keeps the executable bit of equal contents apart", () => {
    const world = new World();
    const content = "#!/bin/sh\n";
    world.roots.set("r", world.folder({ a: world.file(content), b: world.file(content, true) }));
    expect(world.projection.attributes(world.inode("r/a"))).toMatchObject({ executable: false });
    expect(world.projection.attributes(world.inode("r/b"))).toMatchObject({ executable: true });
  });

  it("reads files at any offset", () => {
    const world = sampleWorld("documented");
    const target = Buffer.alloc(3);
    expect(world.projection.read(world.inode("r2"), 5, target)).toBe(3);
    expect(target.toString()).toBe("fil");
    expect(world.projection.read(world.inode("r2"), 8, target)).toBe(1);
    expect(world.projection.read(world.inode("r2"), 9, target)).toBe(0);
  });

  it("tells sizes and times", () => {
    const world = sampleWorld("documented");
    const { projection } = world;
    expect(projection.attributes(ROOT_INODE)).toMatchObject({ type: "directory", mtimeMs: 5000 });
    expect(projection.attributes(world.inode("r2"))).toMatchObject({ size: 9, mtimeMs: 1000 });
    expect(projection.attributes(world.inode("r1/link"))).toMatchObject({
      type: "symlink",
      size: 1,
    });
    expect(Buffer.from(projection.readLink(world.inode("r1/link")))).toEqual(bytes("x"));
  });

  it("sees a root name that comes, and one that changes, without keeping the miss", () => {
    const world = new World();
    expect(world.projection.lookup(ROOT_INODE, bytes("new"))).toBeUndefined();
    world.roots.set("new", world.file("1"));
    const first = world.inode("new");
    world.roots.set("new", world.file("22"));
    expect(world.inode("new")).not.toBe(first);
    expect(world.projection.attributes(world.inode("new"))).toMatchObject({ size: 2 });
  });

  it("keeps the numbers of a root that comes to be another tree of the same shape", () => {
    const world = new World();
    const { projection } = world;
    const before = world.folder({ a: world.folder({ f: world.file("1") }), b: world.file("2") });
    const after = world.folder({ a: world.folder({ f: world.file("3") }), b: world.file("4") });
    world.roots.set("r", before);
    const numbers = everything(world, ROOT_INODE);
    const inode = world.inode("r/a/f");
    projection.rebind(bytes("r"), before, after);
    world.roots.set("r", after);
    expect(everything(world, ROOT_INODE)).toEqual(numbers);
    const target = Buffer.alloc(1);
    projection.read(inode, 0, target);
    expect(target.toString()).toBe("3");
  });

  it("knows the numbers of a root that was withdrawn no more, wherever they were looked at", () => {
    const world = new World();
    const root = world.folder({ a: world.folder({ f: world.file("1") }) });
    world.roots.set("r", root);
    const inodes = ["r", "r/a", "r/a/f"].map((path) => world.inode(path));
    world.projection.rebind(bytes("r"), root, undefined);
    for (const inode of inodes) {
      expect(() => world.projection.attributes(inode)).toThrow(
        expect.objectContaining({ code: "not-found" }),
      );
    }
    expect(inodes).not.toContain(world.inode("r/a/f"));
  });

  it("tells what has been checked from what has not, and shows no digests of the latter", () => {
    const world = sampleWorld("documented");
    const attributes = (path: string) => [
      ...world.projection.extendedAttributes(world.inode(path)).keys(),
    ];
    world.unverified.add("r1");
    const value = world.projection.extendedAttributes(world.inode("r1/inner/c"));
    expect([...value]).toEqual([["user.tvix.verified", "no"]]);
    expect(attributes("r3/again")).toEqual([
      "user.tvix.castore.directory.digest",
      "user.tvix.verified",
    ]);
    world.unverified.clear();
    expect(attributes("r1/inner/c")).toEqual([
      "user.tvix.castore.blob.digest",
      "user.tvix.verified",
    ]);
  });

  it("says what is wrong with an operation on the wrong kind of inode", () => {
    const world = sampleWorld("documented");
    const { projection } = world;
    const wrong = expect.objectContaining({ code: "invalid-argument" });
    expect(() => projection.lookup(world.inode("r2"), bytes("x"))).toThrow(wrong);
    expect(() => projection.list(world.inode("r2"))).toThrow(wrong);
    expect(() => projection.readLink(world.inode("r2"))).toThrow(wrong);
    expect(() => projection.read(world.inode("r1"), 0, Buffer.alloc(1))).toThrow(wrong);
  });

  it("knows which numbers were never given", () => {
    const world = sampleWorld("documented");
    world.inode("r1");
    for (const inode of [0, -1, 1e6, Number.MAX_SAFE_INTEGER]) {
      expect(() => world.projection.attributes(inode)).toThrow(
        expect.objectContaining({ code: "not-found" }),
      );
    }
  });

  it("names the digest of a directory that is missing below a root", () => {
    const world = sampleWorld("documented");
    const inode = world.inode("r1/inner");
    const { digest } = directoryOf(world, "r1").get(bytes("inner")) as Node & { digest: B3Digest };
    world.directories.delete(digest.hex);
    const hole = expect.objectContaining({
      code: "dangling-reference",
      message: expect.stringContaining(digest.toString()),
    });
    const fresh = new Projection(
      {
        lookup: (name) => world.roots.get(Buffer.from(name).toString("latin1")),
        list: () => [],
        changedAtMs: () => 0,
        isVerified: () => true,
      },
      world.source,
    );
    const root = fresh.lookup(ROOT_INODE, bytes("r1"))?.inode as number;
    const inner = fresh.lookup(root, bytes("inner"))?.inode as number;
    expect(inner - root).toBe(inode - world.inode("r1"));
    expect(() => fresh.list(inner)).toThrow(hole);
    expect(() => fresh.lookup(inner, bytes("a"))).toThrow(hole);
  });

  it("calls a directory that holds more than its parent says corrupt", () => {
    const world = new World();
    const honest = world.folder({ a: world.file("a"), b: world.file("b") });
    world.roots.set("r", { ...honest, size: 1n } as Node);
    const root = world.inode("r");
    expect(() => world.projection.list(root)).toThrow(expect.objectContaining({ code: "corrupt" }));
    expect(() => world.projection.lookup(root, bytes("a"))).toThrow(
      expect.objectContaining({ code: "corrupt" }),
    );
  });

  it("refuses to list the root when listing is off, and looks up all the same", () => {
    const world = sampleWorld("documented");
    world.listable = false;
    expect(() => world.projection.list(ROOT_INODE)).toThrow(
      expect.objectContaining({ code: "permission-denied" }),
    );
    expect(world.projection.lookup(ROOT_INODE, bytes("r2"))).toBeDefined();
  });

  it("makes the listing of the root once, and anew when a name has come", () => {
    const world = sampleWorld("documented");
    let lists = 0;
    const { roots } = world;
    const projection = new Projection(
      {
        lookup: (name) => roots.get(Buffer.from(name).toString("latin1")),
        list: () => {
          lists++;
          return [...roots.keys()].map((name) => Buffer.from(name, "latin1"));
        },
        changedAtMs: () => world.changedAtMs,
        isVerified: () => true,
      },
      world.source,
    );
    for (let round = 0; round < 5; round++) expect(projection.list(ROOT_INODE).count).toBe(3);
    expect(lists).toBe(1);
    roots.set("new", world.file("new"));
    world.changedAtMs++;
    expect(projection.list(ROOT_INODE).count).toBe(4);
    expect(lists).toBe(2);
  });

  it("decodes a directory once, however often it is used", () => {
    const world = sampleWorld("documented");
    for (let round = 0; round < 10; round++) everything(world, ROOT_INODE);
    expect(world.directoryReads).toBe(world.directories.size);
  });
});

function directoryOf(world: World, root: string): Directory {
  const node = world.roots.get(root) as Node & { digest: B3Digest };
  return world.directories.get(node.digest.hex) as Directory;
}
