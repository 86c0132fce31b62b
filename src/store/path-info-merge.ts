/**
 * One store path, two path infos: what a store keeps when it is given one for a path it already has.
 */
import { equalBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import { equalNodes } from "../castore/node.js";
import type { ContentAddress } from "./content-address.js";
import type { PathInfo, Signature } from "./path-info.js";
import type { StorePath } from "./store-path.js";

/**
 * What a store that had `stored`, if anything, has after `added` was put: `added` where there was nothing, and
 * where `overwrite` says so and the two contradict each other; else the two merged.
 *
 * @throws {StoreError} as {@link mergePathInfos}.
 */
export function pathInfoAfterPut(
  stored: PathInfo | undefined,
  added: PathInfo,
  { overwrite = false }: { readonly overwrite?: boolean } = {},
): PathInfo {
  if (stored === undefined) return added;
  // The signatures of the other one cover what it said, not this.
  if (overwrite && contradiction(stored, added) !== undefined) return added;
  return mergePathInfos(stored, added);
}

/**
 * `stored` with the signatures of `added` that it lacks; `stored` itself when it lacks none.
 *
 * A path info never changes otherwise. A deriver or content address that only one side knows is no
 * contradiction (a tree that was imported and one that was built may be the same), but is not taken over:
 * no signature covers them.
 *
 * @throws {StoreError} `invalid-argument`, naming the field in which the two contradict each other.
 */
export function mergePathInfos(stored: PathInfo, added: PathInfo): PathInfo {
  const field = contradiction(stored, added);
  if (field !== undefined) {
    throw new StoreError(
      "invalid-argument",
      `Cannot store path info of ${added.storePath}: its ${field} differs from that stored for ${stored.storePath}`,
    );
  }
  const signatures = [...stored.signatures];
  for (const signature of added.signatures) {
    if (!signatures.some((known) => equalSignatures(known, signature))) signatures.push(signature);
  }
  return signatures.length === stored.signatures.length ? stored : { ...stored, signatures };
}

function contradiction(a: PathInfo, b: PathInfo): string | undefined {
  if (!a.storePath.equals(b.storePath)) return "store path";
  if (!equalNodes(a.node, b.node)) return "root node";
  if (a.narSize !== b.narSize) return "NAR size";
  if (!equalBytes(a.narSha256, b.narSha256)) return "NAR SHA-256";
  if (!equalReferences(a.references, b.references)) return "references";
  if (a.deriver && b.deriver && !a.deriver.equals(b.deriver)) return "deriver";
  if (a.ca && b.ca && !equalContentAddresses(a.ca, b.ca)) return "content address";
  return undefined;
}

function equalReferences(a: readonly StorePath[], b: readonly StorePath[]): boolean {
  return a.length === b.length && a.every((reference, i) => reference.equals(b[i] as StorePath));
}

function equalContentAddresses(a: ContentAddress, b: ContentAddress): boolean {
  return a.method === b.method && a.algorithm === b.algorithm && equalBytes(a.digest, b.digest);
}

function equalSignatures(a: Signature, b: Signature): boolean {
  return a.name === b.name && equalBytes(a.data, b.data);
}
