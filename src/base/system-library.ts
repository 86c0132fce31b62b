import { require } from "./require.js";

/** A function of a library, which may also run on another thread: its last argument is told what it returns. */
export interface ForeignFunction<Arguments extends readonly unknown[], Result> {
  (...args: Arguments): Result;
  async(...args: [...Arguments, (error: unknown, result: Result) => void]): void;
}

/** A shared library, with functions of the names in `Prototypes`. */
export interface SystemLibrary<Functions> {
  readonly functions: Functions;
  /** Where `bytes` lie in memory; they must outlive the use of it. */
  address(bytes: Uint8Array): bigint;
}

let hasKoffi = false;

/** Whether a library has been loaded already: the first one takes several milliseconds, the next ones next to nothing. */
export function hasSystemLibraries(): boolean {
  return hasKoffi;
}

/**
 * Loads the shared library called `file`, such as `libzstd.so.1`, or at that path; `null` is what this process has
 * loaded. `undefined` when it is not on this system, lacks a function, or cannot be called. The caller says what the
 * functions are.
 */
export function loadSystemLibrary<Functions>(
  file: string | null,
  prototypes: Readonly<Record<keyof Functions & string, string>>,
): SystemLibrary<Functions> | undefined {
  try {
    const koffi = require("koffi") as typeof import("koffi");
    hasKoffi = true;
    const library = koffi.load(file);
    const functions = Object.fromEntries(
      Object.entries<string>(prototypes).map(([name, prototype]) => [
        name,
        library.func(prototype),
      ]),
    ) as Functions;
    return { functions, address: (bytes) => koffi.address(bytes) };
  } catch {
    // There are packages that do the same, only slower.
    return undefined;
  }
}

/** As {@link loadSystemLibrary}, for what is asked for often: what is returned loads it once, when it is first called. */
export function lazySystemLibrary<Functions>(
  file: string | null,
  prototypes: Readonly<Record<keyof Functions & string, string>>,
): () => SystemLibrary<Functions> | undefined {
  let loaded: { readonly library: SystemLibrary<Functions> | undefined } | undefined;
  return () => {
    loaded ??= { library: loadSystemLibrary<Functions>(file, prototypes) };
    return loaded.library;
  };
}
