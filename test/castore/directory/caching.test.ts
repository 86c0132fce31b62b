import { beforeEach, describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { CachingDirectoryService } from "../../../src/castore/directory/caching.js";
import { MemoryDirectoryService } from "../../../src/castore/directory/memory.js";
import {
  failFrom,
  Gate,
  type Hook,
  hooks,
  OUTAGE,
  StepCounts,
  WatchedDirectoryService,
} from "../../support/watched-services.js";
import { DIRECTORY } from "../../vectors/directories.js";

const { empty, b, d } = DIRECTORY;
const closure = [empty, b, d];

let near: MemoryDirectoryService;
let far: MemoryDirectoryService;
let nearFailures: unknown[];

beforeEach(async () => {
  near = new MemoryDirectoryService();
  far = new MemoryDirectoryService();
  nearFailures = [];
  for (const directory of closure) await far.put(directory);
});

function compose({ ofNear, ofFar }: { ofNear?: Hook; ofFar?: Hook } = {}): CachingDirectoryService {
  return new CachingDirectoryService({
    near: new WatchedDirectoryService(near, ofNear),
    far: new WatchedDirectoryService(far, ofFar),
    onNearFailure: (error) => nearFailures.push(error),
  });
}

async function walk(service: CachingDirectoryService): Promise<number> {
  let count = 0;
  for await (const _directory of service.getRecursive(d.digest)) count++;
  return count;
}

describe("CachingDirectoryService", () => {
  it("fills near after a hit in far, and asks far no more", async () => {
    const counts = new StepCounts();
    const service = compose({ ofFar: counts.hook });
    for (let round = 0; round < 3; round++) {
      expect((await service.get(d.digest))?.digest.hex).toBe(d.digest.hex);
    }
    expect(await near.get(d.digest)).toBe(d);
    expect(counts.of("get")).toBe(1);
  });

  it("asks far once for all who want one directory", async () => {
    const gate = new Gate("get");
    const service = compose({ ofFar: gate.hook });
    const asked = Array.from({ length: 20 }, () => service.get(d.digest));
    gate.open();
    for (const directory of await Promise.all(asked)) expect(directory).toBe(d);
    expect(gate.arrived).toBe(1);
  });

  it("does not remember what is absent", async () => {
    const service = compose();
    expect(await service.get(DIRECTORY.withKeep.digest)).toBeUndefined();
    await far.put(DIRECTORY.withKeep);
    expect(await service.get(DIRECTORY.withKeep.digest)).toBe(DIRECTORY.withKeep);
  });

  it("takes a closure from far as a whole, then from near", async () => {
    const counts = new StepCounts();
    const service = compose({ ofFar: counts.hook });
    expect(await walk(service)).toBe(3);
    expect(await walk(service)).toBe(3);
    expect([counts.of("getRecursive"), counts.of("get")]).toEqual([1, 0]);
  });

  it("asks far for the holes of a closure whose root is near", async () => {
    const counts = new StepCounts();
    await near.put(d);
    await near.put(empty);
    const service = compose({ ofFar: counts.hook });
    expect(await walk(service)).toBe(3);
    expect([counts.of("getRecursive"), counts.of("get")]).toEqual([0, 1]);
  });

  it("writes to far alone", async () => {
    const service = compose();
    await service.put(DIRECTORY.withKeep);
    const putter = service.startPut();
    await putter.put(empty);
    await putter.put(DIRECTORY.c);
    await putter.close();
    for (const { digest } of [DIRECTORY.withKeep, DIRECTORY.c]) {
      expect(await near.get(digest)).toBeUndefined();
      expect(await far.get(digest)).toBeDefined();
    }
  });
});

describe("A far that fails", () => {
  it("is an error for all who wait, not an absence", async () => {
    const service = compose({ ofFar: failFrom("get") });
    const asked = [service.get(d.digest), service.get(d.digest)];
    for (const each of asked) await expect(each).rejects.toBe(OUTAGE);
  });

  it.each([
    ["at once", failFrom("getRecursive")],
    ["midway", failFrom("directory", 2)],
  ])("%s ends a closure with its error; what came stays near", async (_title, hook) => {
    await expect(walk(compose({ ofFar: hook }))).rejects.toBe(OUTAGE);
    expect(await walk(compose())).toBe(3);
  });

  it("is not asked for what near has", async () => {
    await near.put(d);
    expect(await compose({ ofFar: failFrom("get") }).get(d.digest)).toBe(d);
  });
});

describe("A near that fails", () => {
  it("to take a directory is passed over, and reported", async () => {
    const service = compose({ ofNear: failFrom("put") });
    expect(await service.get(d.digest)).toBe(d);
    expect(await walk(service)).toBe(3);
    expect(nearFailures).toEqual([OUTAGE, OUTAGE, OUTAGE, OUTAGE]);
  });

  it("to be read is an error", async () => {
    await expect(compose({ ofNear: failFrom("get") }).get(d.digest)).rejects.toBe(OUTAGE);
  });

  it("with a damaged directory is mended", async () => {
    const damage = new StoreError("corrupt", "bad disk");
    const counts = new StepCounts();
    const service = compose({ ofNear: hooks(counts.hook, failFrom("get", 1, damage)) });
    expect(await service.get(d.digest)).toBe(d);
    expect(nearFailures).toEqual([damage]);
    expect(counts.of("put")).toBe(1);
  });
});

it("A caller who gives up leaves the others their answer", async () => {
  const gate = new Gate("get");
  const service = compose({ ofFar: gate.hook });
  const stop = new AbortController();
  const left = service.get(d.digest, { signal: stop.signal });
  const stayed = service.get(d.digest);
  stop.abort();
  await expect(left).rejects.toMatchObject({ code: "aborted" });
  gate.open();
  expect(await stayed).toBe(d);
});
