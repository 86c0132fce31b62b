/**
 * The {@link DirectoryPutter} of services that store directories one by one.
 */
import { StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import { ClosureCheck } from "./closure-check.js";
import type { DirectoryPutter } from "./service.js";

/** A putter over `put`: checks the closure's rules, stores as it goes, and waits for all at the end. */
export class CheckedPutter implements DirectoryPutter {
  readonly #store: (directory: Directory) => Promise<unknown>;
  readonly #check = new ClosureCheck();
  #pending: Promise<unknown>[] = [];
  #root: Promise<B3Digest> | undefined;
  #failed = false;

  constructor(store: (directory: Directory) => Promise<unknown>) {
    this.#store = store;
  }

  async put(directory: Directory): Promise<void> {
    if (this.#failed || this.#root !== undefined) throw uploadOver();
    try {
      if (!this.#check.add(directory)) return;
      const stored = this.#store(directory);
      stored.catch(() => {});
      this.#pending.push(stored);
      if (this.#pending.length >= PENDING_MAX) await this.#settle();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  close(): Promise<B3Digest> {
    if (this.#failed) return Promise.reject(uploadOver());
    this.#root ??= this.#finish();
    return this.#root;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed ||= this.#root === undefined;
    await this.#root?.catch(() => {});
    await Promise.allSettled(this.#pending.splice(0));
  }

  async #finish(): Promise<B3Digest> {
    const root = this.#check.finish();
    await this.#settle();
    return root;
  }

  async #settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.all(pending);
  }
}

/** Directories under way at once: enough to share a commit, few enough to bound memory. */
const PENDING_MAX = 1024;

function uploadOver(): StoreError {
  return new StoreError(
    "invalid-argument",
    "Cannot go on with an upload that failed or was closed",
  );
}
