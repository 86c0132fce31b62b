/**
 * Results go to stdout, and only results.
 */
import { once } from "node:events";
import { quoteBytes } from "../base/bytes.js";

/** Writes to stdout, no faster than the reader takes it. */
export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
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
  if (!process.stdout.isTTY) return name;
  const quoted = quoteBytes(name);
  return quoted.includes("\\x") ? quoted : name;
}
