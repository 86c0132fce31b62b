/**
 * What Nix writes down about a closure, in one of two forms:
 *
 *   graph := { absolute LF deriver LF count LF { absolute LF } }
 *
 * of `exportReferencesGraph`, where the deriver may be empty and `count` is that of the references which
 * follow; or the JSON of `nix path-info --json`: an array of objects, or from Nix 2.19 on an object of them by
 * store path.
 */
import { isStoreError, StoreError } from "../base/errors.js";
import { type ContentAddress, parseContentAddress } from "./content-address.js";
import { parseHash } from "./nix-hash.js";
import type { Signature } from "./path-info.js";
import { referencesFirst } from "./references-first.js";
import { readSignature } from "./signature/signature-text.js";
import { StorePath } from "./store-path.js";

/** What a graph says of one store path. The text form knows no hashes. */
export interface GraphEntry {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
  readonly narSha256?: Uint8Array;
  readonly narSize?: bigint;
  readonly deriver?: StorePath;
  readonly ca?: ContentAddress;
  readonly signatures: readonly Signature[];
}

/**
 * Reads a graph in either form.
 *
 * @returns each path once, after those it refers to.
 * @throws {StoreError} `invalid-argument`, saying where it is wrong.
 */
export function parseReferenceGraph(text: string): GraphEntry[] {
  const entries = /^\s*[[{]/.test(text) ? parseJson(text) : parseLines(text);
  return referencesFirst(entries);
}

function parseLines(text: string): GraphEntry[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const entries: GraphEntry[] = [];
  let at = 0;
  const next = (what: string): string => {
    const line = lines[at++];
    if (line === undefined) throw wrong(`line ${at}`, `it ends where ${what} should be`);
    return line;
  };
  const parse = <T>(read: (line: string) => T, line: string): T =>
    within(`line ${at}`, () => read(line));
  while (at < lines.length) {
    const storePath = parse(parsePath, next("a store path"));
    const deriver = parse(parseDeriver, next("a deriver"));
    const count = next("a number of references");
    if (!/^\d{1,9}$/.test(count))
      throw wrong(`line ${at}`, `${JSON.stringify(count)} is no number`);
    const references: StorePath[] = [];
    for (let left = Number(count); left > 0; left--) {
      references.push(parse(parsePath, next("a reference")));
    }
    entries.push({ storePath, references, ...(deriver && { deriver }), signatures: [] });
  }
  return entries;
}

function parseJson(text: string): GraphEntry[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new StoreError("invalid-argument", "The reference graph is no JSON", { cause: error });
  }
  const objects = Array.isArray(json)
    ? json.map((each: unknown, index) => [`entry ${index}`, each] as const)
    : Object.entries(json as object).map(
        ([path, each]) => [path, isObject(each) ? { path, ...each } : each] as const,
      );
  return objects.map(([where, each]) => within(where, () => entryFrom(each)));
}

function entryFrom(json: unknown): GraphEntry {
  if (!isObject(json)) throw malformed("it is not in the store, or no object");
  const { path, references, narHash, narSize, deriver, ca, signatures } = json;
  if (json["valid"] === false) throw malformed("it is not in the store");
  const parsedDeriver =
    deriver === undefined || deriver === null ? undefined : parseDeriver(text(deriver));
  return {
    storePath: parsePath(text(path)),
    references: list(references ?? []).map((each) => parsePath(text(each))),
    ...(narHash === undefined ? {} : { narSha256: parseSha256(text(narHash)) }),
    ...(narSize === undefined ? {} : { narSize: parseSize(narSize) }),
    ...(parsedDeriver && { deriver: parsedDeriver }),
    ...(ca === undefined || ca === null ? {} : { ca: parseContentAddress(text(ca)) }),
    signatures: list(signatures ?? []).map((each) => parseSignature(text(each))),
  };
}

function parsePath(path: string): StorePath {
  return path.startsWith("/") ? StorePath.parseAbsolute(path) : StorePath.parse(path);
}

/** Path infos keep derivers without `.drv`. */
function parseDeriver(path: string): StorePath | undefined {
  if (path === "" || path === "unknown-deriver") return undefined;
  const deriver = parsePath(path);
  if (!deriver.name.endsWith(".drv")) throw malformed(`the deriver ${deriver} is no derivation`);
  return StorePath.from(deriver.hash, deriver.name.slice(0, -".drv".length));
}

function parseSha256(hash: string): Uint8Array {
  const { algorithm, digest } = parseHash(hash);
  if (algorithm !== "sha256") throw malformed(`its NAR hash is ${algorithm}, not sha256`);
  return digest;
}

function parseSize(size: unknown): bigint {
  if (Number.isSafeInteger(size) && (size as number) >= 0) return BigInt(size as number);
  throw malformed(`its NAR size is ${JSON.stringify(size)}`);
}

function parseSignature(signature: string): Signature {
  const parsed = readSignature(signature);
  if (parsed === undefined) throw malformed(`${JSON.stringify(signature)} is no signature`);
  return parsed;
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function text(json: unknown): string {
  if (typeof json === "string") return json;
  throw malformed(`${JSON.stringify(json) ?? "nothing"} stands where a text should be`);
}

function list(json: unknown): readonly unknown[] {
  if (Array.isArray(json)) return json;
  throw malformed(`${JSON.stringify(json)} stands where a list should be`);
}

/** Runs `parse` and says `where` it failed. */
function within<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw isStoreError(error) ? wrong(where, error.message) : error;
  }
}

function wrong(where: string, why: string): StoreError {
  return malformed(`The reference graph is malformed at ${where}: ${why}`);
}

function malformed(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
