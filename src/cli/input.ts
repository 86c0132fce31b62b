/**
 * What a command reads: a file, or what another program writes.
 */
import { createReadStream, fstatSync, read } from "node:fs";
import { promisify } from "node:util";
import { errnoOf, messageOf, StoreError } from "../base/errors.js";
import { UsageError } from "./usage-error.js";

const STDIN = 0;
/** Each read of a file goes through another thread. */
const READ_BYTES = 1024 * 1024;

export interface InputOptions {
  /** The caller is done with a piece before it asks for the next but one, which may lie on the same memory. */
  readonly transient?: boolean;
}

/**
 * The bytes on stdin.
 *
 * @throws {UsageError} at once, when that is a terminal: `what` is not typed.
 */
export function readStdin(
  what: string,
  { transient = false }: InputOptions = {},
): AsyncIterable<Uint8Array> {
  if (process.stdin.isTTY) {
    throw new UsageError(`${what} does not come from a terminal: redirect stdin`);
  }
  if (!fstatSync(STDIN).isFile()) return named("stdin", process.stdin);
  if (transient) return named("stdin", readInTurn(STDIN));
  const options = { fd: STDIN, autoClose: false, highWaterMark: READ_BYTES };
  return named("stdin", createReadStream("", options));
}

/** The bytes of a file, or with `-` those on stdin. @throws {StoreError} while reading, naming the file. */
export function readInput(path: string, what: string): AsyncIterable<Uint8Array> {
  if (path === "-") return readStdin(what);
  return named(JSON.stringify(path), createReadStream(path, { highWaterMark: READ_BYTES }));
}

const readAside = promisify(read);

/** A file from where it is, on three pieces of memory in turn: two belong to the caller while one is filled. */
export async function* readInTurn(file: number): AsyncGenerator<Uint8Array> {
  const memory = Array.from({ length: 3 }, () => Buffer.allocUnsafeSlow(READ_BYTES));
  const fill = (turn: number) =>
    readAside(file, memory[turn % memory.length] as Buffer, 0, READ_BYTES, null);
  let next = fill(0);
  try {
    for (let turn = 1; ; turn++) {
      const { buffer, bytesRead } = await next;
      if (bytesRead === 0) return;
      next = fill(turn);
      // It may fail while nobody waits for it.
      next.catch(() => {});
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await next.catch(() => {});
  }
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
