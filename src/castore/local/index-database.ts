/**
 * The index of a local store: one LMDB environment, shared by every process that uses the store.
 *
 * Commits are synchronous: when one returns, its pages and its meta page are on disk. Writes of one
 * process are gathered and committed together, so thousands of small blobs share the cost of a sync.
 * They run on the calling thread: the library's own asynchronous commit reports a full disk through
 * promises nobody can catch.
 */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { equalBytes } from "../../base/bytes.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { IndexRoom, requireRoomForIndex } from "./index-room.js";
import { MappedMemory } from "./mapped-memory.js";

/** Address space, not disk: the file grows with its content. */
const MAP_BYTES = 2 ** 40;
const PROCESSES_MAX = 1024;
/** Waiting writes are committed at once when they hold this much. */
const BATCH_BYTES_MAX = 8 * 1024 * 1024;
const BATCH_WAIT_MS_MAX = 50;

/** Of docs/formats.md. */
const TABLES = [
  "directories",
  "blobs",
  "path-infos",
  "nars",
  "nar-hashes",
  "nar-files",
  "cache-files",
  "narinfos",
  "meta",
];
const ATTEMPTS_MAX = 3;

const EIO = 5;

interface Write {
  readonly run: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class IndexDatabase {
  readonly isStaged = false;
  readonly #environment: RootDatabase<Buffer, Buffer>;
  readonly #memory: MappedMemory;
  readonly #room: IndexRoom;
  readonly #tables: ReadonlyMap<string, Table>;
  #queue: Write[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** How long the last commit took, and when it was over. */
  #commitMs = 0;
  #committedMs = 0;

  private constructor(environment: RootDatabase<Buffer, Buffer>, folder: string) {
    this.#environment = environment;
    const file = join(realpathSync(folder), "data.mdb");
    this.#memory = new MappedMemory(file);
    const { pageSize } = environment.getStats() as { pageSize: number };
    this.#room = new IndexRoom(file, pageSize);
    this.#tables = new Map(
      openDatabases(environment).map(([name, database]) => [
        name,
        new Table(database, this.#memory, this.#room),
      ]),
    );
  }

  /** @throws {StoreError} `unavailable` when the environment cannot be opened. */
  static open(folder: string): IndexDatabase {
    requireRoomForIndex(folder);
    try {
      const environment = open<Buffer, Buffer>({
        path: folder,
        noSubdir: false,
        mapSize: MAP_BYTES,
        maxDbs: 16,
        maxReaders: PROCESSES_MAX,
        overlappingSync: false,
        keyEncoding: "binary",
        encoding: "binary",
      });
      environment.readerCheck();
      return new IndexDatabase(environment, folder);
    } catch (error) {
      throw new StoreError(
        "unavailable",
        `Cannot open the index of the store, ${folder}: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  /** One of {@link TABLES}. */
  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new TypeError(`The index has no table ${name}`);
    return table;
  }

  /**
   * Runs `write` inside the next commit; resolves with its result once that is on disk. `write` is
   * synchronous, sees the writes queued before it, and throws, if it must, before it changes anything:
   * that fails this call alone. `bytes` tells about how much it will write.
   *
   * @throws {StoreError} `unavailable` when the commit failed: then nothing of it was stored.
   */
  commit<T>(write: () => T, bytes: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: write, resolve: resolve as (result: unknown) => void, reject });
      this.#queuedBytes += bytes;
      if (this.#queuedBytes >= BATCH_BYTES_MAX) {
        this.flush();
      } else {
        // After a commit, gathering for as long as it took lets a slow disk take larger bites. A lone write, which
        // comes later, does not wait.
        const waitMs = this.#committedMs + this.#commitMs - performance.now();
        this.#timer ??= setTimeout(() => this.flush(), waitMs);
      }
    });
  }

  /** Lets this thread see what other processes have committed since. Cheap. */
  refresh(): void {
    this.#environment.resetReadTxn();
  }

  /** Commits what is waiting. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#queue;
    if (batch.length === 0) return;
    this.#queue = [];
    this.#queuedBytes = 0;

    const started = performance.now();
    const done: (() => void)[] = [];
    try {
      this.#environment.transactionSync(() => {
        for (const write of batch) {
          try {
            const result = write.run();
            done.push(() => write.resolve(result));
          } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            done.push(() => write.reject(error));
          }
        }
        const { lastPageNumber } = this.#environment.getStats() as { lastPageNumber: number };
        this.#room.take(lastPageNumber);
      });
    } catch (error) {
      const failure = commitFailure(error);
      for (const write of batch) write.reject(failure);
      return;
    } finally {
      this.#committedMs = performance.now();
      this.#commitMs = Math.min(this.#committedMs - started, BATCH_WAIT_MS_MAX);
    }
    for (const answer of done) answer();
  }

  /** As {@link flush}, and lets go of the files. See `LocalStore.close`. */
  async close(): Promise<void> {
    this.flush();
    await this.#environment.close();
    this.#room.close();
  }
}

/** Bytes by bytes key. Values read are valid until the next read of the same thread unless said otherwise. */
export class Table {
  readonly #database: Database<Buffer, Buffer>;
  readonly #memory: MappedMemory;
  readonly #room: IndexRoom;

  constructor(database: Database<Buffer, Buffer>, memory: MappedMemory, room: IndexRoom) {
    this.#database = database;
    this.#memory = memory;
    this.#room = room;
  }

  has(key: Uint8Array): boolean {
    return this.#database.doesExist(key as Buffer);
  }

  /** A copy of the value. */
  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#database.getBinary(key as Buffer);
    this.#memory.didRead(value?.length ?? 0);
    return value;
  }

  /** The value on memory that the next read overwrites. */
  peek(key: Uint8Array): Uint8Array | undefined {
    const value = this.#find(key);
    this.#memory.didRead(value?.length ?? 0);
    return value;
  }

  /** Whether `key` has this very value, which would be written otherwise. */
  holds(key: Uint8Array, value: Uint8Array): boolean {
    const found = this.#find(key);
    this.#memory.didCompare(found?.length ?? 0);
    return found !== undefined && equalBytes(found, value);
  }

  /** All keys in byte order, as copies, in a snapshot of now. */
  keys(): Iterable<Uint8Array> {
    return this.#database.getKeys({ snapshot: true });
  }

  /** Only inside a commit. */
  put(key: Uint8Array, value: Uint8Array): void {
    this.#database.putSync(key as Buffer, value as Buffer);
    this.#memory.didWrite(value.length);
    this.#room.willWrite(key.length, value.length);
  }

  /** Only inside a commit. */
  remove(key: Uint8Array): void {
    this.#database.removeSync(key as Buffer);
    this.#room.willWrite(key.length, 0);
  }

  /** How many keys there are. */
  get count(): number {
    const { entryCount } = this.#database.getStats() as { entryCount: number };
    return entryCount;
  }

  #find(key: Uint8Array): Uint8Array | undefined {
    const value = this.#database.getBinaryFast(key as Buffer);
    // The library hands out one large buffer with a narrowed `length`, which trips up Buffer's methods.
    return value && new Uint8Array(value.buffer, value.byteOffset, value.length);
  }
}

/** The tables of `environment`, by name. Those that are not there yet are made in one commit. */
function openDatabases(
  environment: RootDatabase<Buffer, Buffer>,
): (readonly [string, Database<Buffer, Buffer>])[] {
  const encodings = { keyEncoding: "binary", encoding: "binary" } as const;
  const openAll = () =>
    TABLES.map(
      (name) => [name, environment.openDB<Buffer, Buffer>({ name, ...encodings })] as const,
    );
  for (let attempt = 1; ; attempt++) {
    try {
      return environment.transactionSync(openAll);
    } catch (error) {
      // Where several processes make the tables of a new index in the same moment, LMDB has been seen to give up
      // a transaction of one of them, once in many thousands. The next begins with what the others have made.
      if (attempt === ATTEMPTS_MAX) throw commitFailure(error);
    }
  }
}

function commitFailure(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const reason = code === EIO ? "the disk is full or failing" : messageOf(error);
  return new StoreError("unavailable", `Cannot write the index of the store: ${reason}`, {
    cause: error,
  });
}
