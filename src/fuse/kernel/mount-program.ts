/**
 * Runs the programs that mount. They take a descriptor of ours: the socket to send the device over.
 */
import { StoreError } from "../../base/errors.js";
import { type ChildOptions, runChild } from "../child.js";

/**
 * Runs `program` and waits for it to succeed. `false` when there is no such program. The last of `args` is
 * the mount point.
 *
 * @throws {StoreError} `unavailable` with the program's own words when it fails or does not end.
 */
export async function runMountProgram(
  program: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<boolean> {
  const outcome = await runChild(program, args, options);
  if (outcome.type === "missing") return false;
  if (outcome.type === "exited" && outcome.status === 0) return true;
  const why =
    outcome.type === "timeout"
      ? `${program} does not end`
      : outcome.stderr || `${program} failed with status ${outcome.status}`;
  throw new StoreError("unavailable", `Cannot mount at ${args.at(-1)}: ${why}`);
}
