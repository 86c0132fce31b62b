/**
 * Everything that decodes bytes from elsewhere. A new decoder joins by a line at the end.
 */
import fc from "fast-check";
import { equalBytes } from "../../src/base/bytes.js";
import type { DirectoryService } from "../../src/castore/directory/service.js";
import { decodeDirectory } from "../../src/castore/directory-codec.js";
import { equalNodes, type Node } from "../../src/castore/node.js";
import { listNar } from "../../src/store/nar/listing.js";
import { NarReader } from "../../src/store/nar/reader.js";
import { NarWriter } from "../../src/store/nar/writer.js";
import { narinfoFromPathInfo } from "../../src/store/narinfo/conversion.js";
import { formatNarinfo } from "../../src/store/narinfo/narinfo.js";
import { decodePathInfo, encodePathInfo } from "../../src/store/path-info-codec.js";
import { readListing } from "../../src/store/provisional/listed-tree.js";
import { makeUpDigest } from "../../src/store/provisional/made-up-digest.js";
import { narOf } from "../store/nar/support/nar.js";
import { pathInfoArbitrary } from "../store/support/path-info.js";
import { isText, memoryServices, storeTree, treeArbitrary } from "../store/support/tree.js";
import { fuzzNarinfo, narinfoSeeds } from "./targets/narinfo.js";

export interface FuzzTarget {
  readonly name: string;
  /** How many of a thousand inputs go to it. */
  readonly share: number;
  /** Valid inputs; the same `seed` gives the same ones. */
  corpus(seed: number): Promise<readonly Buffer[]>;
  /** Decodes; what it throws must be a `StoreError`. When it does not throw, it checks that the value holds. */
  run(input: Buffer): void | Promise<void>;
}

const CORPUS = 200;

const nar: FuzzTarget = {
  name: "NAR",
  share: 250,
  corpus: async (seed) => fc.sample(treeArbitrary, { seed, numRuns: CORPUS }).map(narOf),
  run: async (input) => {
    // What is taken is the one NAR of its tree.
    const pieces: Uint8Array[] = [];
    const writer = new NarWriter((piece) => pieces.push(piece));
    let depth = 0;
    await using reader = new NarReader([input.subarray(0, 57), input.subarray(57)]);
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      if (item.type !== "directory-end" && depth > 0) writer.startEntry(item.name);
      switch (item.type) {
        case "directory":
          writer.startDirectory();
          depth++;
          continue;
        case "directory-end":
          writer.endDirectory();
          depth--;
          break;
        case "symlink":
          writer.symlink(item.target);
          break;
        case "file":
          writer.startFile(BigInt(item.size), item.executable);
          for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
            writer.write(piece);
          }
          writer.endFile();
      }
      if (depth > 0) writer.endEntry();
    }
    writer.finish();
    if (!equalBytes(Buffer.concat(pieces), input)) throw new Error("It would be written otherwise");
  },
};

const directory: FuzzTarget = {
  name: "Directory",
  share: 200,
  corpus: async (seed) => {
    const messages: Buffer[] = [];
    for (const tree of fc.sample(treeArbitrary, { seed, numRuns: CORPUS })) {
      const services = memoryServices();
      const root = await storeTree(tree, services);
      if (root.type !== "directory") continue;
      for await (const { bytes } of services.directories.getRecursive(root.digest)) {
        messages.push(Buffer.from(bytes));
      }
    }
    return messages;
  },
  run: (input) => {
    const decoded = decodeDirectory(input);
    const again = decodeDirectory(decoded.bytes);
    if (!again.digest.equals(decoded.digest)) throw new Error("It does not decode to itself");
    for (const { name } of decoded.entries()) {
      if (decoded.get(name) === undefined) throw new Error("An entry is not found by its name");
    }
  },
};

const pathInfo: FuzzTarget = {
  name: "PathInfo",
  share: 250,
  corpus: async (seed) =>
    fc
      .sample(pathInfoArbitrary, { seed, numRuns: CORPUS })
      .map((each) => Buffer.from(encodePathInfo(each))),
  run: (input) => {
    const encoded = encodePathInfo(decodePathInfo(input));
    if (!equalBytes(encodePathInfo(decodePathInfo(encoded)), encoded)) {
      throw new Error("It does not decode to itself");
    }
  },
};

const narinfo: FuzzTarget = {
  name: "narinfo",
  share: 200,
  corpus: async (seed) => [
    ...narinfoSeeds,
    ...fc
      .sample(pathInfoArbitrary, { seed, numRuns: CORPUS })
      .filter(({ narSize }) => narSize > 0n)
      .map((each) => narinfoFromPathInfo(each, { url: "nar/x.nar.xz", compression: "xz" }))
      .map((each) => Buffer.from(formatNarinfo(each))),
  ],
  run: fuzzNarinfo,
};

const listing: FuzzTarget = {
  name: "listing",
  share: 100,
  corpus: async (seed) => {
    const listings: Buffer[] = [];
    for (const tree of fc.sample(treeArbitrary.filter(isText), { seed, numRuns: CORPUS })) {
      const services = memoryServices();
      const root = await storeTree(tree, services);
      listings.push(await listingOf(root, services.directories));
    }
    return listings;
  },
  run: async (input) => {
    const mark = Buffer.alloc(16);
    const read = (bytes: Uint8Array) => readListing(bytes, (place) => makeUpDigest(mark, place));
    const { root, directories, narSize } = read(input);
    const again = read(
      await listingOf(root, { get: async (digest) => directories.get(digest.hex) }),
    );
    if (!equalNodes(again.root, root) || again.narSize !== narSize) {
      throw new Error("It is not read as it is written");
    }
  },
};

async function listingOf(root: Node, directories: Pick<DirectoryService, "get">): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of listNar(root, directories)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export const FUZZ_TARGETS: readonly FuzzTarget[] = [nar, directory, pathInfo, narinfo, listing];
