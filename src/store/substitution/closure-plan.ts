/**
 * What it would take to have the closure of some store paths here, before anything is fetched.
 */
import { mapOrdered } from "../../base/concurrency.js";
import { StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import { STORE_DIR, type StorePath } from "../store-path.js";
import type { StorePathReference } from "../store-path-reference.js";
import type { Offer } from "./upstream.js";

/** Questions under way at once. */
const QUESTIONS_MAX = 25;

export interface ClosurePlan {
  /** What has to be fetched, references before what refers to them where there is no circle. */
  readonly missing: readonly Offer[];
  /** How many store paths of the closure are here. */
  readonly presentCount: number;
  /** What has to be fetched: bytes of compressed NARs, of the NARs themselves where a cache does not say. */
  readonly downloadBytes: number;
}

/** What is known about a store path; `undefined` when it is nowhere. */
export type Describe = (
  hash: Uint8Array,
  options: CallOptions,
) => Promise<PathInfo | Offer | undefined>;

/**
 * Looks up `roots` and all they refer to, directly or not, a level of the closure at a time and many at once.
 *
 * @throws {StoreError} `not-found` for a root that is nowhere, `dangling-reference` for a reference;
 *   whatever `describe` throws; `not-found` too for one that has another name.
 */
export async function planClosure(
  roots: readonly Root[],
  describe: Describe,
  options: CallOptions = {},
): Promise<ClosurePlan> {
  const seen = new Set<string>();
  const missing: Offer[] = [];
  let presentCount = 0;
  let level: readonly Root[] = roots;
  while (level.length > 0) {
    const next: StorePath[] = [];
    const unseen = level.filter(({ hash }) => {
      const key = Buffer.from(hash).toString("hex");
      return !seen.has(key) && seen.add(key);
    });
    const ask = async (root: Root) => ({ root, found: await describe(root.hash, options) });
    for await (const { root, found } of mapOrdered(unseen, QUESTIONS_MAX, ask)) {
      if (found === undefined) throw absent(root, level === roots);
      const { storePath, references } = "narinfo" in found ? found.narinfo : found;
      if (storePath.name !== (root.name ?? storePath.name)) {
        throw new StoreError("not-found", `${root} is nowhere to be had, but ${storePath} is`);
      }
      if ("narinfo" in found) missing.push(found);
      else presentCount++;
      next.push(...references);
    }
    level = next;
  }
  missing.reverse();
  return { missing, presentCount, downloadBytes: missing.reduce(addSize, 0) };
}

/** A store path, or what is known of it. */
export interface Root {
  /** 20 bytes. */
  readonly hash: Uint8Array;
  /** What it has to be called, where that is known. */
  readonly name?: string | undefined;
  toString(): string;
}

/** What someone asked for. */
export function rootOf({ hash, name }: StorePathReference): Root {
  const suffix = name === undefined ? "" : `-${name}`;
  return { hash, name, toString: () => `${STORE_DIR}/${encodeNixBase32(hash)}${suffix}` };
}

function addSize(sum: number, { narinfo }: Offer): number {
  return sum + Number(narinfo.fileSize ?? narinfo.narSize);
}

function absent(root: Root, isAsked: boolean): StoreError {
  return isAsked
    ? new StoreError("not-found", `${root} is neither in the store nor in a substituter`)
    : new StoreError("dangling-reference", `${root}, which is referred to, is nowhere to be had`);
}
