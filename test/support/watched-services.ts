/**
 * Services whose every step is seen first by a hook, which may count it, delay it or make it fail.
 */
import { untilAborted } from "../../src/base/abort.js";
import { StoreError } from "../../src/base/errors.js";
import type {
  BlobReader,
  BlobService,
  BlobWriter,
  ByteRange,
  CallOptions,
  ChunkMeta,
} from "../../src/castore/blob/service.js";
import type { B3Digest } from "../../src/castore/digest.js";
import type { DirectoryPutter, DirectoryService } from "../../src/castore/directory/service.js";
import type { Directory } from "../../src/castore/directory.js";
import type { PathInfoService } from "../../src/store/path-info/service.js";
import type { PathInfo } from "../../src/store/path-info.js";

export type Step =
  | "has"
  | "chunks"
  | "openRead"
  | "read"
  | "piece"
  | "dispose"
  | "openWrite"
  | "write"
  | "close"
  | "get"
  | "getRecursive"
  | "directory"
  | "put"
  | "list";

export type Hook = (step: Step) => void | Promise<void>;

/** Counts steps by kind. */
export class StepCounts {
  readonly #counts = new Map<Step, number>();
  readonly hook: Hook = (step) => {
    this.#counts.set(step, this.of(step) + 1);
  };

  of(step: Step): number {
    return this.#counts.get(step) ?? 0;
  }
}

export const OUTAGE = new StoreError("unavailable", "an outage made by a test");

/** Fails the `nth` step of its kind, counted from 1, and all that follow. */
export function failFrom(step: Step, nth = 1, error: Error = OUTAGE): Hook {
  let count = 0;
  return (each) => {
    if (each === step && ++count >= nth) throw error;
  };
}

/** Holds up every step of a kind until it is opened. */
export class Gate {
  readonly #steps: readonly Step[];
  #open = (): void => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });
  /** How many steps came to the gate. */
  arrived = 0;

  constructor(...steps: Step[]) {
    this.#steps = steps;
  }

  readonly hook: Hook = async (step) => {
    if (!this.#steps.includes(step)) return;
    this.arrived++;
    await this.#opened;
  };

  open(): void {
    this.#open();
  }
}

/** All of `hooks`, one after the other. */
export function hooks(...all: Hook[]): Hook {
  return async (step) => {
    for (const hook of all) await hook(step);
  };
}

export class WatchedBlobService implements BlobService {
  readonly #inner: BlobService;
  readonly #hook: Hook;
  /** Bytes handed out. */
  bytes = 0;

  constructor(inner: BlobService, hook: Hook = () => {}) {
    this.#inner = inner;
    this.#hook = hook;
  }

  async has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    await this.#hook("has");
    return await this.#inner.has(digest, options);
  }

  async openRead(digest: B3Digest, options?: CallOptions): Promise<BlobReader | undefined> {
    await untilAborted((async () => this.#hook("openRead"))(), options?.signal);
    const reader = await this.#inner.openRead(digest, options);
    return reader && this.#watch(reader, options);
  }

  async openWrite(options?: CallOptions): Promise<BlobWriter> {
    await this.#hook("openWrite");
    const writer = await this.#inner.openWrite(options);
    return {
      write: async (bytes) => {
        await this.#hook("write");
        await writer.write(bytes);
      },
      close: async () => {
        await this.#hook("close");
        return await writer.close();
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    };
  }

  async chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    await this.#hook("chunks");
    return await this.#inner.chunks(digest, options);
  }

  #watch(reader: BlobReader, options: CallOptions | undefined): BlobReader {
    return {
      size: reader.size,
      read: async (offset, length) => {
        await this.#hook("read");
        const bytes = await reader.read(offset, length);
        this.bytes += bytes.length;
        return bytes;
      },
      stream: (range) => this.#stream(reader, range, options),
      [Symbol.asyncDispose]: async () => {
        await this.#hook("dispose");
        await reader[Symbol.asyncDispose]();
      },
    };
  }

  async *#stream(
    reader: BlobReader,
    range: ByteRange | undefined,
    options: CallOptions | undefined,
  ): AsyncGenerator<Uint8Array> {
    for await (const piece of reader.stream(range)) {
      await untilAborted((async () => this.#hook("piece"))(), options?.signal);
      this.bytes += piece.length;
      yield piece;
    }
  }
}

export class WatchedDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;
  readonly #hook: Hook;

  constructor(inner: DirectoryService, hook: Hook = () => {}) {
    this.#inner = inner;
    this.#hook = hook;
  }

  async get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined> {
    await untilAborted((async () => this.#hook("get"))(), options?.signal);
    return await this.#inner.get(digest, options);
  }

  async put(directory: Directory, options?: CallOptions): Promise<B3Digest> {
    await this.#hook("put");
    return await this.#inner.put(directory, options);
  }

  async *getRecursive(digest: B3Digest, options?: CallOptions): AsyncGenerator<Directory> {
    await this.#hook("getRecursive");
    for await (const directory of this.#inner.getRecursive(digest, options)) {
      await this.#hook("directory");
      yield directory;
    }
  }

  startPut(options?: CallOptions): DirectoryPutter {
    const putter = this.#inner.startPut(options);
    return {
      put: async (directory) => {
        await this.#hook("put");
        await putter.put(directory);
      },
      close: async () => {
        await this.#hook("close");
        return await putter.close();
      },
      [Symbol.asyncDispose]: async () => {
        await this.#hook("dispose");
        await putter[Symbol.asyncDispose]();
      },
    };
  }
}

export class WatchedPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #hook: Hook;

  constructor(inner: PathInfoService, hook: Hook = () => {}) {
    this.#inner = inner;
    this.#hook = hook;
  }

  async get(hash: Uint8Array, options?: CallOptions): Promise<PathInfo | undefined> {
    await untilAborted((async () => this.#hook("get"))(), options?.signal);
    return await this.#inner.get(hash, options);
  }

  async put(pathInfo: PathInfo, options?: CallOptions): Promise<PathInfo> {
    await this.#hook("put");
    return await this.#inner.put(pathInfo, options);
  }

  async *list(options?: CallOptions): AsyncGenerator<PathInfo> {
    await this.#hook("list");
    yield* this.#inner.list(options);
  }
}
