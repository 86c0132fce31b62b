import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../../../src/castore/blob/memory.js";
import type { BlobReader } from "../../../src/castore/blob/service.js";
import type { B3Digest } from "../../../src/castore/digest.js";
import { NarCalculator } from "../../../src/store/nar/calculation.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import { file, type MemoryServices, memoryServices, storeTree } from "../support/tree.js";

/** Blobs that are given out when `release` is called, and count how often they were asked for. */
class SlowBlobs extends MemoryBlobService {
  opened = 0;
  release: () => void = () => {};
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  override async openRead(digest: B3Digest): Promise<BlobReader | undefined> {
    this.opened++;
    await this.#released;
    return await super.openRead(digest);
  }
}

async function slowFile(): Promise<{
  blobs: SlowBlobs;
  services: MemoryServices;
  node: Awaited<ReturnType<typeof storeTree>>;
}> {
  const blobs = new SlowBlobs();
  const services = { ...memoryServices(), blobs };
  return { blobs, services, node: await storeTree(file("slow"), services) };
}

describe("NarCalculator", () => {
  it.each(NAR_FIXTURES)("calculates $title", async ({ tree, length, sha256 }) => {
    const services = memoryServices();
    const node = await storeTree(tree, services);
    const { narSize, narSha256 } = await new NarCalculator(services).calculate(node);
    expect(narSize).toBe(BigInt(length));
    expect(Buffer.from(narSha256).toString("hex")).toBe(sha256);
  });

  it("reads the content once, however often and how many at once ask", async () => {
    const { blobs, services, node } = await slowFile();
    const calculator = new NarCalculator(services);
    const both = Promise.all([calculator.calculate(node), calculator.calculate(node)]);
    blobs.release();
    const [first, second] = await both;
    expect(second).toEqual(first);
    expect(await calculator.calculate(node)).toEqual(first);
    expect(blobs.opened).toBe(1);
  });

  it("does not answer for a node that states another size, or another executable bit", async () => {
    const services = memoryServices();
    const node = await storeTree(file("x"), services);
    if (node.type !== "file") throw new Error("no file");
    const calculator = new NarCalculator(services);
    const plain = await calculator.calculate(node);
    expect(await calculator.calculate({ ...node, executable: true })).not.toEqual(plain);
    await expect(calculator.calculate({ ...node, size: 2n })).rejects.toMatchObject({
      code: "corrupt",
    });
  });

  it("goes on while someone waits, and forgets what nobody waits for", async () => {
    const { blobs, services, node } = await slowFile();
    const calculator = new NarCalculator(services);
    const leaving = new AbortController();
    const left = calculator.calculate(node, { signal: leaving.signal });
    const stayed = calculator.calculate(node);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: "aborted" });
    blobs.release();
    expect((await stayed).narSize).toBeGreaterThan(0n);

    const alone = await slowFile();
    const other = new NarCalculator(alone.services);
    const gone = new AbortController();
    const given = other.calculate(alone.node, { signal: gone.signal });
    gone.abort();
    await expect(given).rejects.toMatchObject({ code: "aborted" });
    alone.blobs.release();
    expect((await other.calculate(alone.node)).narSize).toBeGreaterThan(0n);
    expect(alone.blobs.opened).toBe(2);
  });

  it("tries again after a failure", async () => {
    const services = memoryServices();
    const elsewhere = memoryServices();
    const node = await storeTree(file("later"), elsewhere);
    const calculator = new NarCalculator(services);
    await expect(calculator.calculate(node)).rejects.toMatchObject({ code: "dangling-reference" });
    await storeTree(file("later"), services);
    expect((await calculator.calculate(node)).narSize).toBeGreaterThan(0n);
  });
});
