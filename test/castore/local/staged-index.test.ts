import { join } from "node:path";
import { expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { type CommittingIndex, StagedIndex } from "../../../src/castore/local/staged-index.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { TreeUpload } from "../../../src/castore/tree-upload.js";
import { bytes, noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

/** Notes what each commit writes; the first `failures` of them fail. */
class RecordingIndex implements CommittingIndex {
  readonly commits: string[][] = [];
  written: string[] = [];
  failures = 0;

  table(): never {
    throw new Error("No table is needed");
  }

  refresh(): void {}

  async commit<T>(write: () => T): Promise<T> {
    if (this.failures-- > 0) throw new StoreError("unavailable", "the disk is full");
    this.written = [];
    const result = write();
    this.commits.push(this.written);
    return result;
  }
}

function staged(inner: RecordingIndex) {
  const index = new StagedIndex(inner);
  const write = (name: string, size = 10) =>
    index.commit(() => void inner.written.push(name), size);
  return { index, write };
}

it("gathers writes into one commit, in their order", async () => {
  const inner = new RecordingIndex();
  const { index, write } = staged(inner);
  for (const name of ["child", "other child", "parent"]) await write(name);
  expect(inner.commits).toEqual([]);
  await index.settle();
  await index.settle();
  expect(inner.commits).toEqual([["child", "other child", "parent"]]);
});

it("holds a few megabytes at most", async () => {
  const inner = new RecordingIndex();
  const { index, write } = staged(inner);
  for (let count = 0; count < 9; count++) await write(`${count}`, 1024 * 1024);
  expect(inner.commits.map((commit) => commit.length)).toEqual([4, 4]);
  await index.settle();
  expect(inner.commits.flat()).toHaveLength(9);
});

it("settles with the failure of any commit before", async () => {
  const inner = new RecordingIndex();
  inner.failures = 1;
  const { index, write } = staged(inner);
  await expect(write("lost", 8 * 1024 * 1024)).rejects.toMatchObject({ code: "unavailable" });
  await write("kept");
  await expect(index.settle()).rejects.toMatchObject({ code: "unavailable" });
});

it("takes what waits into the commit of what closes it", async () => {
  const inner = new RecordingIndex();
  const { index, write } = staged(inner);
  await write("child");
  await write("parent");
  const close = (name: string) => index.closing.commit(() => inner.written.push(name), 10);
  expect(await Promise.all([close("path info"), close("NAR")])).toEqual([3, 1]);
  await index.settle();
  expect(inner.commits).toEqual([["child", "parent", "path info"], ["NAR"]]);
});

it("is not closed when a commit before has failed", async () => {
  const inner = new RecordingIndex();
  inner.failures = 1;
  const { index, write } = staged(inner);
  await write("lost", 8 * 1024 * 1024).catch(() => {});
  await write("kept");
  const closing = index.closing.commit(() => inner.written.push("path info"), 10);
  await expect(closing).rejects.toMatchObject({ code: "unavailable" });
  expect(inner.commits).toEqual([]);
});

it("shows a tree in the store when it has settled", async () => {
  await using store = await LocalStore.open(join(temporaryFolder(), "store"));
  const stage = store.stageTree();
  const upload = new TreeUpload(stage);
  upload.startDirectory(bytes("root"));
  const contents = [noise(10), noise(200_000), noise(100)];
  for (const [index, content] of contents.entries()) {
    await upload.file(bytes(`${index}`), false, (writer) => writer.write(content));
  }
  upload.endDirectory();
  const root = await upload.finish();
  if (root.type !== "directory") throw new Error("It is a directory");
  expect(await store.directories.get(root.digest)).toBeUndefined();
  await stage.settle();
  const directory = await store.directories.get(root.digest);
  const nodes = [...(directory?.entries() ?? [])].map(({ node }) => node);
  expect(nodes).toHaveLength(contents.length);
  for (const node of nodes) {
    expect(node.type === "file" && (await store.blobs.has(node.digest))).toBe(true);
  }
});
