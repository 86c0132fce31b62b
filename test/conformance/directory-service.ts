import { describe, expect, it } from "vitest";
import type { DirectoryService } from "../../src/castore/directory/service.js";
import type { Directory } from "../../src/castore/directory.js";
import { DIRECTORY } from "../vectors/directories.js";

export interface DirectoryBackend {
  /** `alone`: a directory can be put before those it refers to, outside an upload. */
  readonly traits: { readonly persistent: boolean; readonly alone: boolean };
  open(): Promise<DirectoryService>;
  reopen?(service: DirectoryService): Promise<DirectoryService>;
}

const { empty, withKeep, b, c, complicated, complicatedDoubled, d, dDoubled } = DIRECTORY;

async function upload(service: DirectoryService, directories: Directory[]): Promise<string> {
  const putter = service.startPut();
  for (const directory of directories) await putter.put(directory);
  return (await putter.close()).hex;
}

async function closure(service: DirectoryService, root: Directory): Promise<string[]> {
  const digests: string[] = [];
  for await (const each of service.getRecursive(root.digest)) digests.push(each.digest.hex);
  return digests;
}

export function directoryServiceConformance({ traits, open, reopen }: DirectoryBackend): void {
  it("knows nothing of a directory that was never stored", async () => {
    const service = await open();
    expect(await service.get(withKeep.digest)).toBeUndefined();
    expect(await service.get(empty.digest)).toBeUndefined();
    expect(await closure(service, withKeep)).toEqual([]);
  });

  it("gives back what was put, byte for byte", async () => {
    const service = await open();
    await upload(service, [withKeep, complicated]);
    for (const directory of [empty, withKeep, complicated]) {
      const { digest } = directory;
      if (directory !== complicated) expect((await service.put(directory)).hex).toBe(digest.hex);
      expect(Buffer.from((await service.get(digest))?.bytes ?? [])).toEqual(
        Buffer.from(directory.bytes),
      );
    }
  });

  it.skipIf(!traits.alone)(
    "stores a directory without its children, and says what is missing",
    async () => {
      const service = await open();
      await service.put(complicated);
      await expect(closure(service, complicated)).rejects.toMatchObject({
        code: "dangling-reference",
        message: expect.stringContaining(withKeep.digest.toString()),
      });
    },
  );

  it.each([
    ["one directory", [empty], [empty]],
    ["a parent", [empty, b], [b, empty]],
    ["the same child under two names", [empty, c], [c, empty]],
    ["a directory sent twice", [empty, empty, c], [c, empty]],
    ["the documented size", [withKeep, complicated], [complicated, withKeep]],
    ["the doubled size", [withKeep, complicatedDoubled], [complicatedDoubled, withKeep]],
  ])("uploads a closure: %s", async (_title, sent, stored) => {
    const service = await open();
    const root = sent.at(-1) as Directory;
    expect(await upload(service, sent)).toBe(root.digest.hex);
    expect(await closure(service, root)).toEqual(stored.map(({ digest }) => digest.hex));
  });

  it.each([
    ["documented", d, b],
    ["doubled", dDoubled, b],
  ])("finds a directory at two depths once (%s size)", async (_title, root, child) => {
    const service = await open();
    await upload(service, [empty, child, root]);
    const found = await closure(service, root);
    expect(found[0]).toBe(root.digest.hex);
    expect(found.slice(1).sort()).toEqual([empty.digest.hex, child.digest.hex].sort());
  });

  it.each([
    ["nothing at all", []],
    ["a parent without its child", [b]],
    ["a parent before its child", [b, empty]],
    ["a child that hangs below nothing", [empty, withKeep, b]],
    ["a wrong size", [empty, DIRECTORY.wrongSize]],
  ])("refuses an upload: %s", async (_title, sent) => {
    const service = await open();
    await expect(upload(service, sent)).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it("refuses a child that is in the store but not in the upload", async () => {
    const service = await open();
    await service.put(empty);
    await expect(upload(service, [b])).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it("ends an upload at its first error, and answers a second close like the first", async () => {
    const service = await open();
    const failed = service.startPut();
    await expect(failed.put(b)).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(failed.put(empty)).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(failed.close()).rejects.toMatchObject({ code: "invalid-argument" });
    const fine = service.startPut();
    await fine.put(empty);
    expect((await fine.close()).hex).toBe((await fine.close()).hex);
    await expect(fine.put(empty)).rejects.toMatchObject({ code: "invalid-argument" });
  });

  describe.skipIf(!traits.persistent)("persistent", () => {
    it("finds a closure again after reopening", async () => {
      const service = await open();
      await upload(service, [withKeep, complicated]);
      const again = await reopen?.(service);
      if (again === undefined) throw new Error("a persistent backend must say how to reopen it");
      expect(await closure(again, complicated)).toHaveLength(2);
    });
  });
}
