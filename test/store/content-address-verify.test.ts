import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Node } from "../../src/castore/node.js";
import {
  type ContentAddress,
  contentAddressedPath,
  formatContentAddress,
} from "../../src/store/content-address.js";
import { verifyContentAddress } from "../../src/store/content-address-verify.js";
import { NarHasher } from "../../src/store/nar/hasher.js";
import { ModuloHasher } from "../../src/store/nar/modulo-hasher.js";
import { renderNar } from "../../src/store/nar/render.js";
import { HASH_ALGORITHMS } from "../../src/store/nix-hash.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { StorePath } from "../../src/store/store-path.js";
import { collect } from "../support/bytes.js";
import { DUMMY_PATH } from "./support/path-info.js";
import { directory, file, memoryServices, storeTree, symlink, type Tree } from "./support/tree.js";

const services = memoryServices();

/** A path info of `tree` that claims `ca`, and to be where that makes it. */
async function claim(
  tree: Tree,
  ca: ContentAddress,
  references: StorePath[] = [],
): Promise<PathInfo> {
  const node = await storeTree(tree, services);
  return await claimNode(node, ca, contentAddressedPath(ca, "x", references), references);
}

async function claimNode(
  node: Node,
  ca: ContentAddress,
  storePath: StorePath,
  references: StorePath[],
): Promise<PathInfo> {
  const hasher = new NarHasher();
  for await (const piece of renderNar(node, services)) hasher.update(piece);
  return { storePath, node, references, ...hasher.finish(), signatures: [], ca };
}

const hello = file("Hello World!");
const tree = directory({ a: hello, b: symlink("a") });
const digest = (algorithm: string, bytes: Uint8Array | string) =>
  createHash(algorithm).update(bytes).digest();

async function narOf(of: Tree): Promise<Buffer> {
  return await collect(renderNar(await storeTree(of, services), services));
}

describe("verifyContentAddress()", () => {
  it.each(HASH_ALGORITHMS)("passes what has it, by %s", async (algorithm) => {
    const nar: ContentAddress = {
      method: "nar",
      algorithm,
      digest: digest(algorithm, await narOf(tree)),
    };
    await verifyContentAddress(await claim(tree, nar), services);
    const flat: ContentAddress = {
      method: "flat",
      algorithm,
      digest: digest(algorithm, "Hello World!"),
    };
    await verifyContentAddress(await claim(hello, flat), services);
  });

  it("passes texts and trees with references, and what claims nothing", async () => {
    const text: ContentAddress = {
      method: "text",
      algorithm: "sha256",
      digest: digest("sha256", "Hello World!"),
    };
    await verifyContentAddress(await claim(hello, text, [DUMMY_PATH]), services);
    const nar: ContentAddress = {
      method: "nar",
      algorithm: "sha256",
      digest: digest("sha256", await narOf(tree)),
    };
    const claimed = await claim(tree, nar, [DUMMY_PATH]);
    await verifyContentAddress(claimed, services);
    const { ca: _, ...rest } = claimed;
    await verifyContentAddress({ ...rest, storePath: DUMMY_PATH }, services);
  });

  it("passes content that refers to itself, and notices when it does so elsewhere", async () => {
    const before = StorePath.from(Buffer.alloc(20, 9), "x");
    const hasher = new ModuloHasher("sha256", Buffer.from(before.basename.slice(0, 32)));
    hasher.update(await narOf(file(`at ${before}`)));
    const ca: ContentAddress = { method: "nar", algorithm: "sha256", digest: hasher.digest() };
    const path = contentAddressedPath(ca, "x", [], true);
    const node = await storeTree(file(`at ${path}`), services);
    await verifyContentAddress(await claimNode(node, ca, path, [path]), services);
    const moved = await storeTree(file(`${path}at `), services);
    await expect(
      verifyContentAddress(await claimNode(moved, ca, path, [path]), services),
    ).rejects.toMatchObject({ code: "corrupt" });
  });

  const other = { method: "flat", algorithm: "sha256", digest: digest("sha256", "other") } as const;
  const flat = { ...other, digest: digest("sha256", "Hello World!") };
  it.each<[string, Tree, ContentAddress, string]>([
    ["other bytes", hello, other, `its content makes it ${formatContentAddress(flat)}`],
    ["another text", hello, { ...other, method: "text" }, "its content makes it text:sha256:"],
    [
      "another tree",
      tree,
      { method: "nar", algorithm: "sha1", digest: Buffer.alloc(20) },
      "fixed:r:sha1",
    ],
    // Its bytes are right: whether it can be executed is not in their hash.
    ["a file that is executable", file("Hello World!", true), flat, "only a file that is not"],
    ["a folder for a file", tree, flat, "only a file that is not executable can have it"],
    ["a symlink for a file", symlink("Hello World!"), flat, "only a file that is not executable"],
  ])("refuses %s", async (_title, content, ca, message) => {
    const claimed = await claim(content, ca);
    await expect(verifyContentAddress(claimed, services)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(message),
    });
  });

  it("refuses a path that does not follow, and content that is not there", async () => {
    const claimed = await claim(hello, flat);
    await expect(
      verifyContentAddress({ ...claimed, storePath: DUMMY_PATH }, services),
    ).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(verifyContentAddress(claimed, memoryServices())).rejects.toMatchObject({
      code: "dangling-reference",
    });
  });
});
