import type { Table } from "./index-database.js";

/** What blobs and directories need of the index. */
export interface Index {
  /** Whether a commit resolves before its write has run. */
  readonly isStaged: boolean;
  table(name: string): Table;
  refresh(): void;
  commit(write: () => void, bytes: number): Promise<void>;
}

/** What services of whole store paths need of it. */
export interface CommittingIndex {
  table(name: string): Table;
  refresh(): void;
  /** Resolves with what `write` returned, when it is on disk. */
  commit<T>(write: () => T, bytes: number): Promise<T>;
}

/** How much waits in memory: what is to be written, and about what each write takes beside that. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const WRITE_BYTES = 256;

/**
 * The index, for writes that nobody relies on before all of them are there: the pieces of a tree on its way.
 * A commit resolves when its write is in memory, where nobody sees it. Writes reach `inner` in their order, as
 * many in one transaction as there is room for, and are on disk when {@link settle} resolves. What is not
 * settled may be lost, but where children were written first no parent ever stands without them.
 */
export class StagedIndex implements Index {
  readonly isStaged = true;
  readonly #inner: CommittingIndex;
  #waiting: (() => void)[] = [];
  #waitingBytes = 0;
  #lastCommit: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(inner: CommittingIndex) {
    this.#inner = inner;
  }

  table(name: string): Table {
    return this.#inner.table(name);
  }

  refresh(): void {
    this.#inner.refresh();
  }

  /** @throws {StoreError} what became of a commit before. */
  async commit(write: () => void, bytes: number): Promise<void> {
    this.#waiting.push(write);
    this.#waitingBytes += bytes + WRITE_BYTES;
    if (this.#waitingBytes >= WAITING_BYTES_MAX) await this.settle();
  }

  /**
   * Waits until everything is on disk.
   *
   * @throws {StoreError} `unavailable` when some of it is not, whenever that was.
   */
  async settle(): Promise<void> {
    if (this.#waiting.length > 0) await this.#commitWaiting(() => {}, 0);
    await this.#lastCommit;
  }

  /**
   * For what comes last and tells of all the rest: a commit takes along, into the same transaction, what waits until
   * then. It fails, and writes nothing, when a commit before it did.
   */
  get closing(): CommittingIndex {
    return {
      table: (name) => this.table(name),
      refresh: () => this.refresh(),
      commit: (write, bytes) => this.#commitWaiting(write, bytes),
    };
  }

  #commitWaiting<T>(write: () => T, bytes: number): Promise<T> {
    const waiting = this.#waiting;
    const waitingBytes = this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const commit = this.#inner.commit(() => {
      if (this.#failure !== undefined) throw this.#failure;
      for (const each of waiting) each();
      return write();
    }, waitingBytes + bytes);
    // One that failed is not made good by those after it.
    this.#lastCommit = Promise.all([this.#lastCommit, commit]).then(() => {});
    this.#lastCommit.catch((error: unknown) => {
      this.#failure = error;
    });
    return commit;
  }
}
