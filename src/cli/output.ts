/**
 * Results go to stdout, and only results.
 */
import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import { quoteBytes } from "../base/bytes.js";
import { errnoOf, messageOf, StoreError } from "../base/errors.js";
import { filePlaceOf } from "../base/file-piece.js";
import { splice } from "./splice.js";

const writeAside = promisify(write);

const STDOUT = 1;
/** What is smaller is written sooner than another thread could be told to. */
const ASIDE_BYTES = 16 * 1024;
/** Large outputs are written in blocks of this size, each while the next one is gathered. */
const BLOCK_BYTES = 256 * 1024;
/** A pipe that somebody else made non-blocking is asked again after this. */
const FULL_MS = 1;

export const isTerminal = isatty(STDOUT);

/**
 * Where to write to. The argument parser looks at `process.stdout`, which makes a pipe non-blocking; of this one we
 * have a way in of our own, so that a write lasts until the reader has made room.
 */
const descriptor: number = ownDescriptor();
const isPipe = descriptor !== STDOUT;

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

/**
 * Writes everything that comes out of `source`, whose pieces need not outlive the next one.
 *
 * @throws as {@link writeOut}, and what `source` throws: the last blocks before that are not written.
 */
export async function writeAll(source: AsyncIterable<Uint8Array>): Promise<void> {
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let other = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let used = 0;
  let lastWrite = Promise.resolve();
  for await (const piece of source) {
    const place = isPipe ? filePlaceOf(piece) : undefined;
    if (place !== undefined) {
      await lastWrite;
      await writeOut(block.subarray(0, used));
      used = 0;
      const spliced = await splice(place, piece.length, descriptor);
      await writeOut(piece.subarray(spliced));
      continue;
    }
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + BLOCK_BYTES - used);
      block.set(part, used);
      at += part.length;
      used += part.length;
      if (used < BLOCK_BYTES) continue;
      await lastWrite;
      lastWrite = writeOut(block);
      // Whoever waits for it is told; until then nobody does.
      lastWrite.catch(() => {});
      [block, other] = [other, block];
      used = 0;
    }
  }
  await lastWrite;
  await writeOut(block.subarray(0, used));
}

function ownDescriptor(): number {
  if (!fstatSync(STDOUT).isFIFO()) return STDOUT;
  const place = `/proc/self/fd/${STDOUT}`;
  try {
    // One that nobody reads any more would be waited for. With this in hand, opening does not wait.
    const probe = openSync(place, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      return openSync(place, constants.O_WRONLY);
    } finally {
      closeSync(probe);
    }
  } catch {
    // Nobody reads, or someone else made it. Then a full pipe is asked again and again.
    return STDOUT;
  }
}

async function writeSome(bytes: Uint8Array): Promise<number> {
  try {
    if (bytes.length < ASIDE_BYTES) return writeSync(descriptor, bytes);
    return (await writeAside(descriptor, bytes)).bytesWritten;
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
