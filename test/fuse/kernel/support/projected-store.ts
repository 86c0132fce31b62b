/**
 * A real local store and the projection of it, without a kernel and without Nix names at the root.
 */
import { join } from "node:path";
import { afterAll } from "vitest";
import { putBlob } from "../../../../src/castore/blob/service.js";
import type { DirectoryEntry } from "../../../../src/castore/directory.js";
import { directoryFrom } from "../../../../src/castore/directory-codec.js";
import { Projection } from "../../../../src/castore/fs/projection.js";
import { ResidentStore } from "../../../../src/castore/local/resident-store.js";
import { LocalStore } from "../../../../src/castore/local/store.js";
import type { Node } from "../../../../src/castore/node.js";
import { temporaryFolder } from "../../../support/temp.js";

/** Root nodes by name. Says of every change that there was one, as a store does. */
class Roots extends Map<string, Node> {
  changedAtMs = 5000;

  override set(name: string, node: Node): this {
    this.changedAtMs++;
    return super.set(name, node);
  }

  override clear(): void {
    this.changedAtMs++;
    super.clear();
  }
}

export class ProjectedStore {
  readonly roots = new Roots();
  readonly projection: Projection;
  readonly #store: LocalStore;

  private constructor(store: LocalStore) {
    this.#store = store;
    const resident = new ResidentStore({ blobs: store, directories: store, pathInfos: store });
    this.projection = new Projection(
      {
        lookup: (name) => this.roots.get(Buffer.from(name).toString("latin1")),
        list: () => [...this.roots.keys()].map((name) => Buffer.from(name, "latin1")),
        changedAtMs: () => this.roots.changedAtMs,
        isVerified: () => true,
      },
      resident,
    );
    afterAll(async () => {
      resident[Symbol.dispose]();
      await store.close();
    });
  }

  /** Lives as long as the test file. */
  static async open(): Promise<ProjectedStore> {
    return new ProjectedStore(await LocalStore.open(join(temporaryFolder(), "store")));
  }

  async file(content: Uint8Array, executable = false): Promise<Node> {
    const { digest, size } = await putBlob(this.#store.blobs, content);
    return { type: "file", digest, size: BigInt(size), executable };
  }

  symlink(target: Uint8Array): Node {
    return { type: "symlink", target };
  }

  /** Names are in latin1, one character for each byte. */
  async folder(entries: Iterable<readonly [name: string, node: Node]>): Promise<Node> {
    const list: DirectoryEntry[] = Array.from(entries, ([name, node]) => ({
      name: Buffer.from(name, "latin1"),
      node,
    }));
    const directory = directoryFrom(list);
    await this.#store.directories.put(directory);
    return { type: "directory", digest: directory.digest, size: directory.size };
  }
}
