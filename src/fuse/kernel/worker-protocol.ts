/**
 * What the main thread and the threads that serve a mount tell each other.
 */
import type { Connection } from "../protocol/init.js";

/** To a serving thread, after its recipe: the mount is there, serve it. */
export interface WorkerStart {
  readonly device: number;
  readonly connection: Connection;
  /** The table of backing files when the kernel is to read files itself, see `BackingFiles`. */
  readonly backing: SharedArrayBuffer | undefined;
}

/** To a serving thread, in place of its recipe or of what it was to serve. */
export const LEAVE = null;

/** From a serving thread to the main thread. */
export type WorkerMessage =
  /** The thread serves from now on. */
  | { readonly type: "serving" }
  | { readonly type: "miss"; readonly request: Uint8Array; readonly want: unknown }
  | { readonly type: "interrupt"; readonly unique: bigint };
