import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { LocalStore } from "../../../src/castore/local/store.js";
import { findMissing } from "../../../src/store/completeness.js";
import { importNar } from "../../../src/store/import/import-nar.js";
import { type ImportTargets, importTree } from "../../../src/store/import/import-tree.js";
import { renderNar } from "../../../src/store/nar/render.js";
import { LocalPathInfoService } from "../../../src/store/path-info/local.js";
import { temporaryFolder } from "../../support/temp.js";

const FILES = 3000;
/** One for the tree, one for its path info: the files have less than a megabyte. */
const COMMITS_MAX = 2;

function makeTree(): Buffer {
  const root = join(temporaryFolder(), "tree");
  for (let index = 0; index < FILES; index++) {
    const folder = join(root, `${index % 30}`);
    if (index < 30) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${index}`), `content of file ${index}`);
  }
  return Buffer.from(root);
}

async function openTargets() {
  const store = await LocalStore.open(join(temporaryFolder(), "store"));
  const { blobs, directories, index } = store;
  const pathInfos = new LocalPathInfoService(index);
  const stageTree = () => store.stageTree();
  const targets: ImportTargets = { blobs, directories, stageTree, pathInfos };
  return { index, targets, commits: vi.spyOn(index, "commit") };
}

test("Many small files share few commits, and are there when the import resolves", async () => {
  const tree = makeTree();
  const first = await openTargets();
  const { node, storePath } = await importTree(tree, "tree", first.targets);
  expect(first.commits.mock.calls.length).toBeLessThanOrEqual(COMMITS_MAX);
  expect(await findMissing(node, first.targets)).toBeUndefined();
  expect(await first.targets.pathInfos.get(storePath.hash)).toMatchObject({ node });

  const second = await openTargets();
  const imported = await importNar(renderNar(node, first.targets), "tree", second.targets);
  expect(imported.storePath).toEqual(storePath);
  expect(second.commits.mock.calls.length).toBeLessThanOrEqual(COMMITS_MAX);
  expect(await findMissing(node, second.targets)).toBeUndefined();
});

test("What is there already is not written again", async () => {
  const tree = makeTree();
  const { index, targets } = await openTargets();
  const put = vi.spyOn(index.table("blobs"), "put");
  await importTree(tree, "tree", targets);
  expect(put).toHaveBeenCalledTimes(FILES);
  await importTree(tree, "tree", targets);
  expect(put).toHaveBeenCalledTimes(FILES);
});
