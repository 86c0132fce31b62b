/**
 * What a command reads: a file, or what another program writes.
 */
import { createReadStream, fstatSync } from "node:fs";
import { errnoOf, messageOf, StoreError } from "../base/errors.js";
import { UsageError } from "./usage-error.js";

const STDIN = 0;
/** Each read of a file goes through another thread. */
const READ_BYTES = 1024 * 1024;

/**
 * The bytes on stdin.
 *
 * @throws {UsageError} at once, when that is a terminal: `what` is not typed.
 */
export function readStdin(what: string): AsyncIterable<Uint8Array> {
  if (process.stdin.isTTY) {
    throw new UsageError(`${what} does not come from a terminal: redirect stdin`);
  }
  if (!fstatSync(STDIN).isFile()) return named("stdin", process.stdin);
  const options = { fd: STDIN, autoClose: false, highWaterMark: READ_BYTES };
  return named("stdin", createReadStream("", options));
}

/** The bytes of a file, or with `-` those on stdin. @throws {StoreError} while reading, naming the file. */
export function readInput(path: string, what: string): AsyncIterable<Uint8Array> {
  if (path === "-") return readStdin(what);
  return named(JSON.stringify(path), createReadStream(path, { highWaterMark: READ_BYTES }));
}

async function* named(name: string, stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const code = errnoOf(error) === "ENOENT" ? "not-found" : "unavailable";
    const why = code === "not-found" ? "no such file" : messageOf(error);
    throw new StoreError(code, `Cannot read ${name}: ${why}`, { cause: error });
  }
}
