/**
 * Finding what a STORE-PATH[/SUB] argument names.
 */
import { quoteBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import type { DirectoryService } from "../castore/directory/service.js";
import type { Directory } from "../castore/directory.js";
import type { DirectoryNode, Node } from "../castore/node.js";
import { encodeNixBase32 } from "../store/nixbase32.js";
import type { PathInfoService } from "../store/path-info/service.js";
import type { PathInfo } from "../store/path-info.js";
import { STORE_DIR } from "../store/store-path.js";
import { parseStorePathReference, type StorePathReference } from "../store/store-path-reference.js";
import { UsageError } from "./usage-error.js";

export interface StoreObject {
  readonly pathInfo: PathInfo;
  readonly node: Node;
  /** The last name on the way; the store path's basename when nothing follows it. */
  readonly name: Uint8Array;
  /** The whole way, for messages. */
  readonly path: string;
}

/**
 * Reads STORE-PATH[/SUB].
 *
 * @throws {UsageError} when `text` is none.
 */
export function parseObjectArgument(text: string): StorePathReference {
  try {
    return parseStorePathReference(text);
  } catch (error) {
    throw error instanceof StoreError ? new UsageError(error.message) : error;
  }
}

/**
 * Reads STORE-PATH.
 *
 * @throws {UsageError} when `text` is none, or names something below one.
 */
export function parsePathArgument(text: string): StorePathReference {
  const reference = parseObjectArgument(text);
  if (reference.components.length === 0) return reference;
  throw new UsageError(`${JSON.stringify(text)} names something below a store path`);
}

/**
 * The path info that `reference` names.
 *
 * @throws {StoreError} `not-found` when it is not in the store.
 */
export async function findPathInfo(
  reference: StorePathReference,
  pathInfos: PathInfoService,
): Promise<PathInfo> {
  const pathInfo = await pathInfos.get(reference.hash);
  const hash = `${STORE_DIR}/${encodeNixBase32(reference.hash)}`;
  if (pathInfo === undefined) {
    const path = reference.name === undefined ? hash : `${hash}-${reference.name}`;
    throw new StoreError("not-found", `${path} is not in the store`);
  }
  if (reference.name !== undefined && reference.name !== pathInfo.storePath.name) {
    throw new StoreError(
      "not-found",
      `${hash}-${reference.name} is not in the store, but ${pathInfo.storePath} is`,
    );
  }
  return pathInfo;
}

/**
 * What `reference` names. Symlinks on the way are not followed: what they point at may lie outside the
 * store.
 *
 * @throws {StoreError} `not-found` when there is no such thing.
 */
export async function findObject(
  reference: StorePathReference,
  services: { readonly pathInfos: PathInfoService; readonly directories: DirectoryService },
): Promise<StoreObject> {
  const pathInfo = await findPathInfo(reference, services.pathInfos);
  let node = pathInfo.node;
  let path = pathInfo.storePath.toString();
  let name: Uint8Array = Buffer.from(pathInfo.storePath.basename);
  for (const component of reference.components) {
    if (node.type !== "directory") {
      throw new StoreError("not-found", `${path} is a ${describe(node)}, nothing is below it`);
    }
    const child = (await readDirectory(node, services.directories)).get(component);
    path = `${path}/${unquoted(component)}`;
    if (child === undefined) throw new StoreError("not-found", `${path} does not exist`);
    node = child;
    name = component;
  }
  return { pathInfo, node, name, path };
}

/** @throws {StoreError} `dangling-reference` when the store lacks the directory of a node it has. */
export async function readDirectory(
  node: DirectoryNode,
  directories: DirectoryService,
): Promise<Directory> {
  const directory = await directories.get(node.digest);
  if (directory !== undefined) return directory;
  throw new StoreError("dangling-reference", `Directory ${node.digest} is missing from the store`);
}

/** What kind of thing a node is, for a message. */
export function describe(node: Node): string {
  if (node.type === "symlink") return `symlink to ${quoteBytes(node.target)}`;
  return node.type === "directory" ? "folder" : "file";
}

function unquoted(name: Uint8Array): string {
  return quoteBytes(name).slice(1, -1);
}
