import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { throwIfAborted } from "../../base/abort.js";
import { errnoOf, isStoreError, messageOf, StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { CacheFetcher, FilePart, StreamOptions } from "./cache-fetcher.js";

/** Each read goes through another thread. */
const READ_BYTES = 1024 * 1024;

/** A binary cache in a folder of this machine, as `nix copy --to file://…` writes it. */
export class FolderFetcher implements CacheFetcher {
  readonly address: string;
  readonly #folder: string;

  constructor(address: string, folder: string) {
    this.address = address;
    this.#folder = resolve(folder);
  }

  async read(
    name: string,
    bytesMax: number,
    { signal }: CallOptions = {},
  ): Promise<Uint8Array | undefined> {
    throwIfAborted(signal);
    const path = this.#pathOf(name);
    return await reporting(path, async () => {
      await using opened = await openFile(path);
      if (opened === undefined) {
        await this.#checkFolder();
        return undefined;
      }
      const { size } = await opened.file.stat();
      if (size > bytesMax) {
        throw new StoreError(
          "limit-exceeded",
          `${path} has ${size} bytes, at most ${bytesMax} are allowed`,
        );
      }
      return await opened.file.readFile();
    });
  }

  async stream(
    place: string,
    { signal, offset = 0 }: StreamOptions = {},
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    throwIfAborted(signal);
    const path = this.#pathOf(place);
    const opened = await this.#open(path);
    return opened && contentOf(path, opened, offset, signal);
  }

  async part(
    place: string,
    { offset, length }: FilePart,
    { signal }: CallOptions = {},
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    throwIfAborted(signal);
    const path = this.#pathOf(place);
    const opened = await this.#open(path);
    return opened && contentOf(path, opened, offset, signal, length);
  }

  close(): void {}

  /** `undefined` when there is no such file; that the whole folder is gone is a failure. */
  async #open(path: string) {
    return await reporting(path, async () => {
      const opened = await openFile(path);
      if (opened === undefined) await this.#checkFolder();
      return opened;
    });
  }

  /** Names are taken as they are, as Nix does; not as parts of a URL. */
  #pathOf(name: string): string {
    const path = join(this.#folder, name);
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(name) && path.startsWith(this.#folder + sep)) return path;
    throw new StoreError(
      "invalid-argument",
      `${JSON.stringify(name)} is outside the cache ${this.address}`,
    );
  }

  /** A cache that is not there, such as a disk that is not mounted, has not said that it lacks something. */
  async #checkFolder(): Promise<void> {
    const folder = await open(this.#folder, constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.close();
  }
}

interface OpenFile extends AsyncDisposable {
  readonly file: FileHandle;
}

async function openFile(path: string): Promise<OpenFile | undefined> {
  let file: FileHandle;
  try {
    // A pipe would wait for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const close = () => file.close();
  if ((await file.stat()).isFile()) return { file, [Symbol.asyncDispose]: close };
  await close();
  throw new StoreError("unavailable", `${path} is not a plain file`);
}

async function* contentOf(
  path: string,
  opened: OpenFile,
  start: number,
  signal: AbortSignal | undefined,
  length = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  await using _ = opened;
  for (let done = 0; done < length; ) {
    throwIfAborted(signal);
    const wanted = Math.min(READ_BYTES, length - done);
    const buffer = Buffer.allocUnsafe(wanted);
    const { bytesRead } = await reporting(path, () =>
      opened.file.read(buffer, 0, wanted, start + done),
    );
    if (bytesRead === 0) return;
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function reporting<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (isStoreError(error)) throw error;
    const code = ["EACCES", "EPERM"].includes(errnoOf(error) ?? "")
      ? "permission-denied"
      : "unavailable";
    throw new StoreError(code, `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
