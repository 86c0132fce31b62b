/**
 * V8's compiled code of the modules that a command loads, kept from when the program was built: reading it takes a
 * fraction of the time that compiling each function takes when it is called first.
 */
import { hash } from "node:crypto";
import { openSync, readSync, statSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";

/** What the file with the code begins with, as JSON of as many bytes as the four before it say. */
export interface CodeIndex {
  /** {@link nodeBuild} of the Node that made it; no other can use it. */
  readonly node: string;
  /** By the key of a module: where its code begins, counted from the end of this, and how many bytes it has. */
  readonly codes: Readonly<Record<string, readonly [start: number, length: number]>>;
}

export const INDEX_LENGTH_BYTES = 4;

/** Where a build leaves it. */
const BUILT = new URL("../../dist/compiled-code", import.meta.url);

/** The part of Node's loader that is not in its documentation, which compilers of other languages hook into. */
interface LoadedModule {
  readonly exports: unknown;
  _compile(source: string, path: string): unknown;
}

/**
 * Has modules that are loaded from now on in this thread use the code in `file`, each as far as its source is the same.
 * Does nothing when there is no such file, or another Node made it.
 */
export function useCompiledCode(file: string | URL = BUILT): void {
  const codeOf = openCodes(file);
  if (codeOf === undefined) return;
  compileModules((source, filename) => {
    const code = codeOf(source);
    return code && scriptOf(source, filename, code);
  });
}

/** Has `compile` make scripts of CommonJS modules; those that it makes none of are compiled as always. */
export function compileModules(
  compile: (source: string, filename: string) => Script | undefined,
): void {
  const { prototype } = Module as unknown as { readonly prototype: LoadedModule };
  const compileAsAlways = prototype._compile;
  prototype._compile = function (source, filename) {
    const script = compile(source, filename);
    if (script === undefined) return compileAsAlways.call(this, source, filename);
    const run = script.runInThisContext() as (...args: unknown[]) => unknown;
    const { exports } = this;
    return run.call(exports, exports, createRequire(filename), this, filename, dirname(filename));
  };
}

/** The script of a module, which V8 compiles function by function where `code` does not fit. */
export function scriptOf(source: string, filename: string, code: Uint8Array | undefined): Script {
  return new Script(Module.wrap(source), { filename, ...(code && { cachedData: code }) });
}

/** This build of Node. What V8 looks at is not all that its code depends on. */
export function nodeBuild(): string {
  return `${process.version} ${process.arch} ${statSync(process.execPath).size}`;
}

/** V8 compares lengths only. */
export function codeKey(source: string): string {
  return hash("sha256", source);
}

/** What gives the code for a source, on memory that is used again for the next one. */
function openCodes(file: string | URL): ((source: string) => Uint8Array | undefined) | undefined {
  try {
    const descriptor = openSync(file, "r");
    const read = (memory: Buffer, position: number): Buffer => {
      if (readSync(descriptor, memory, 0, memory.length, position) === memory.length) return memory;
      throw new Error(`${file} is too short`);
    };
    const indexBytes = read(Buffer.alloc(INDEX_LENGTH_BYTES), 0).readUInt32LE();
    const text = read(Buffer.alloc(indexBytes), INDEX_LENGTH_BYTES).toString();
    const { node, codes } = JSON.parse(text) as CodeIndex;
    if (node !== nodeBuild()) return undefined;
    const begin = INDEX_LENGTH_BYTES + indexBytes;
    const memory = Buffer.alloc(Math.max(...Object.values(codes).map(([, length]) => length)));
    return (source) => {
      const place = codes[codeKey(source)];
      return place && read(memory.subarray(0, place[1]), begin + place[0]);
    };
  } catch {
    // Without it the program does the same, only later.
    return undefined;
  }
}
