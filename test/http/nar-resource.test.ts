import { describe, expect, it, vi } from "vitest";
import type { Node } from "../../src/castore/node.js";
import { NarResources } from "../../src/http/nar-resource.js";
import { piecesOf } from "../../src/http/representation.js";
import { narOf } from "../store/nar/support/nar.js";
import { directory, file, memoryServices, storeTree } from "../store/support/tree.js";
import { StepCounts, WatchedBlobService } from "../support/watched-services.js";

const TREE = directory({ a: file("a"), b: directory({ c: file("c".repeat(1000)) }) });
const NAR = narOf(TREE);

async function setUp(): Promise<{ nars: NarResources; node: Node; steps: StepCounts }> {
  const services = memoryServices();
  const node = await storeTree(TREE, services);
  const steps = new StepCounts();
  const blobs = new WatchedBlobService(services.blobs, steps.hook);
  return { nars: new NarResources({ ...services, blobs }), node, steps };
}

describe("NARs that are served", () => {
  it("are looked through once for the parts that a client asks for", async () => {
    const { nars, node, steps } = await setUp();
    const parts: Uint8Array[] = [];
    for (let start = 0; start < NAR.length; start += 100) {
      const { open, size } = await nars.get(node, {});
      expect(size).toBe(NAR.length);
      for await (const piece of piecesOf(open({ start, end: start + 100 }))) parts.push(piece);
    }
    expect(NAR.equals(Buffer.concat(parts))).toBe(true);
    expect(steps.of("has")).toBe(2);
  });

  it("are looked through again when that was a while ago", async () => {
    vi.useFakeTimers();
    try {
      const { nars, node, steps } = await setUp();
      await nars.get(node, {});
      vi.advanceTimersByTime(9_000);
      await nars.get(node, {});
      expect(steps.of("has")).toBe(2);
      vi.advanceTimersByTime(2_000);
      await nars.get(node, {});
      expect(steps.of("has")).toBe(4);
    } finally {
      vi.useRealTimers();
    }
  });

  it("are not remembered while they have holes", async () => {
    const services = memoryServices();
    const node = await storeTree(TREE, { ...memoryServices(), directories: services.directories });
    const nars = new NarResources(services);
    await expect(nars.get(node, {})).rejects.toMatchObject({ code: "dangling-reference" });
    await storeTree(TREE, services);
    expect((await nars.get(node, {})).size).toBe(NAR.length);
  });
});
