/**
 * Results go to stdout, and only results.
 */
import { write, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import { quoteBytes } from "../base/bytes.js";
import { errnoOf, messageOf, StoreError } from "../base/errors.js";

const writeAside = promisify(write);

const STDOUT = 1;
/** What is smaller is written sooner than another thread could be told to. */
const ASIDE_BYTES = 16 * 1024;
/** A pipe that somebody else made non-blocking is asked again after this. */
const FULL_MS = 1;

export const isTerminal = isatty(STDOUT);

/** Nobody reads our output any more (`| head`): that ends the command, quietly. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/**
 * Writes to stdout, no faster than the reader takes it. Not through `process.stdout`: it makes a pipe non-blocking,
 * and then gives it 64 KiB at a time.
 *
 * @throws {OutputClosed}
 * @throws {StoreError} `unavailable` when it cannot be written.
 */
export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  let rest: Uint8Array = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  while (rest.length > 0) rest = rest.subarray(await writeSome(rest));
}

async function writeSome(bytes: Uint8Array): Promise<number> {
  try {
    if (bytes.length < ASIDE_BYTES) return writeSync(STDOUT, bytes);
    return (await writeAside(STDOUT, bytes)).bytesWritten;
  } catch (error) {
    switch (errnoOf(error)) {
      case "EAGAIN":
        await sleep(FULL_MS);
        return 0;
      case "EPIPE":
        throw new OutputClosed("Nobody reads the output any more", { cause: error });
      default:
        throw new StoreError("unavailable", `Cannot write to stdout: ${messageOf(error)}`, {
          cause: error,
        });
    }
  }
}

/** One line on stdout. */
export async function printLine(line: Uint8Array | string): Promise<void> {
  await writeOut(Buffer.concat([Buffer.from(line), Buffer.from("\n")]));
}

export async function printJson(value: unknown): Promise<void> {
  await printLine(JSON.stringify(value, jsonNumber, 2));
}

/** Sizes are numbers in JSON, as Nix prints them. */
function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** A file name for stdout: raw for programs, safe for terminals. */
export function displayName(name: Uint8Array): Uint8Array | string {
  if (!isTerminal) return name;
  const quoted = quoteBytes(name);
  return quoted.includes("\\x") ? quoted : name;
}
