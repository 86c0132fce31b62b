/**
 * What the main thread and the threads that serve a mount tell each other.
 */
import type { Connection } from "../protocol/init.js";

/** What a serving thread is to serve. */
export interface WorkerStart {
  readonly device: number;
  readonly connection: Connection;
  /** The table of backing files when the kernel is to read files itself, see `BackingFiles`. */
  readonly backing: SharedArrayBuffer | undefined;
}

/** What a serving thread is started with. */
export interface WorkerTask<Recipe> {
  /** How it builds its file system. */
  readonly recipe: Recipe;
  readonly start: WorkerStart;
}

/** From a serving thread to the main thread. */
export type WorkerMessage =
  /** The thread serves from now on. */
  | { readonly type: "serving" }
  | { readonly type: "miss"; readonly request: Uint8Array; readonly want: unknown }
  | { readonly type: "interrupt"; readonly unique: bigint };
