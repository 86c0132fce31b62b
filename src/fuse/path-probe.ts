/**
 * Looks at a path in a child process. Where a mount hangs the child hangs, not we.
 */
import { StoreError } from "../base/errors.js";
import { runChild } from "./child.js";

/** What is found at a path; `path` is the real one, free of symlinks. */
export type PathState =
  | { readonly state: "missing" }
  | { readonly state: "directory"; readonly path: string; readonly empty: boolean }
  | { readonly state: "not-directory"; readonly path: string }
  /** It cannot be looked at; `code` is a Node error code. ENOTCONN marks a mount without a server. */
  | { readonly state: "failed"; readonly path: string; readonly code: string }
  /** No answer in time. */
  | { readonly state: "hung" };

/**
 * statfs asks the server of a mount even where the kernel has cached everything else. `realpath.native`
 * gets through a dead mount, the other one does not.
 */
const PROBE = `
const fs = require("node:fs");
let path = process.argv[1];
const look = () => {
  try {
    path = fs.realpathSync.native(path);
    if (!fs.statSync(path).isDirectory()) return { state: "not-directory", path };
    fs.statfsSync(path);
    return { state: "directory", path, empty: isEmpty() };
  } catch (error) {
    if (error.code === "ENOENT") return { state: "missing" };
    return { state: "failed", path, code: error.code };
  }
};
const isEmpty = () => {
  const folder = fs.opendirSync(path);
  try {
    return folder.readSync() === null;
  } finally {
    folder.closeSync();
  }
};
console.log(JSON.stringify(look()));
`;

/** Looks at `path`, following symlinks. */
export async function probePath(path: string): Promise<PathState> {
  const outcome = await runChild(process.execPath, ["-e", PROBE, "--", path]);
  if (outcome.type === "timeout") return { state: "hung" };
  if (outcome.type === "missing" || outcome.status !== 0) {
    const reason = outcome.type === "missing" ? "node is gone" : outcome.stderr;
    throw new StoreError("internal", `Cannot look at ${path} in a child process: ${reason}`);
  }
  return JSON.parse(outcome.stdout) as PathState;
}
