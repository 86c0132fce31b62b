/**
 * Making renames durable, many at a time.
 */
import { syncFolder } from "./layout.js";

interface Pending {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

/**
 * Syncs folders on request. Requests that arrive while a folder is being synced share the one sync that
 * follows: a sync under way may have started before their rename.
 */
export class FolderSync {
  readonly #folders = new Map<string, Pending>();

  /** Resolves when every name given to a file in `folder` before this call is on disk. */
  sync(folder: string): Promise<void> {
    const pending = this.#folders.get(folder);
    if (pending === undefined) return this.#start(folder);
    pending.next ??= pending.running.catch(() => {}).then(() => this.#start(folder));
    return pending.next;
  }

  #start(folder: string): Promise<void> {
    const pending: Pending = { running: syncFolder(folder), next: undefined };
    this.#folders.set(folder, pending);
    const forget = () => {
      if (pending.next === undefined) this.#folders.delete(folder);
    };
    pending.running.then(forget, forget);
    return pending.running;
  }
}
