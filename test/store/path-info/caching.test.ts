import { beforeEach, describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { CachingPathInfoService } from "../../../src/store/path-info/caching.js";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import type { PathInfo } from "../../../src/store/path-info.js";
import { pathInfoServiceConformance } from "../../conformance/path-info-service.js";
import {
  failFrom,
  Gate,
  type Hook,
  OUTAGE,
  StepCounts,
  WatchedPathInfoService,
} from "../../support/watched-services.js";
import { DUMMY_PATH_INFO } from "../support/path-info.js";

const { hash } = DUMMY_PATH_INFO.storePath;
const signed: PathInfo = {
  ...DUMMY_PATH_INFO,
  signatures: [{ name: "key", data: new Uint8Array(64) }],
};

let near: MemoryPathInfoService;
let far: MemoryPathInfoService;
let nearFailures: unknown[];

beforeEach(() => {
  near = new MemoryPathInfoService();
  far = new MemoryPathInfoService();
  nearFailures = [];
});

function compose({ ofNear, ofFar }: { ofNear?: Hook; ofFar?: Hook } = {}): CachingPathInfoService {
  return new CachingPathInfoService({
    near: new WatchedPathInfoService(near, ofNear),
    far: new WatchedPathInfoService(far, ofFar),
    onNearFailure: (error) => nearFailures.push(error),
  });
}

describe("CachingPathInfoService over memory", () =>
  pathInfoServiceConformance({
    traits: { persistent: false, list: true },
    open: async () =>
      new CachingPathInfoService({
        near: new MemoryPathInfoService(),
        far: new MemoryPathInfoService(),
      }),
  }));

describe("CachingPathInfoService", () => {
  it("fills near after a hit in far, and asks far no more", async () => {
    await far.put(DUMMY_PATH_INFO);
    const counts = new StepCounts();
    const service = compose({ ofFar: counts.hook });
    for (let round = 0; round < 3; round++) expect(await service.get(hash)).toBe(DUMMY_PATH_INFO);
    expect(await near.get(hash)).toBe(DUMMY_PATH_INFO);
    expect(counts.of("get")).toBe(1);
  });

  it("asks far once for all who want one path info", async () => {
    await far.put(DUMMY_PATH_INFO);
    const gate = new Gate("get");
    const service = compose({ ofFar: gate.hook });
    const asked = Array.from({ length: 20 }, () => service.get(hash));
    gate.open();
    for (const pathInfo of await Promise.all(asked)) expect(pathInfo).toBe(DUMMY_PATH_INFO);
    expect(gate.arrived).toBe(1);
  });

  it("does not put in near what far has put there itself", async () => {
    await far.put(DUMMY_PATH_INFO);
    const counts = new StepCounts();
    const putting: Hook = async (step) => {
      if (step === "get") await near.put(DUMMY_PATH_INFO);
    };
    const service = compose({ ofNear: counts.hook, ofFar: putting });
    expect(await service.fetch(hash)).toBe(true);
    expect(counts.of("put")).toBe(0);
  });

  it("does not remember what is absent", async () => {
    const service = compose();
    expect(await service.get(hash)).toBeUndefined();
    await far.put(DUMMY_PATH_INFO);
    expect(await service.get(hash)).toBe(DUMMY_PATH_INFO);
  });

  it("puts in far, then what far made of it in near", async () => {
    await far.put(signed);
    const service = compose();
    expect((await service.put(DUMMY_PATH_INFO)).signatures).toHaveLength(1);
    expect((await near.get(hash))?.signatures).toHaveLength(1);
  });
});

describe("A far that fails", () => {
  it("is an error for all who wait, not an absence", async () => {
    const service = compose({ ofFar: failFrom("get") });
    const asked = [service.get(hash), service.get(hash)];
    for (const each of asked) await expect(each).rejects.toBe(OUTAGE);
  });

  it("to put leaves near as it was", async () => {
    const service = compose({ ofFar: failFrom("put") });
    await expect(service.put(DUMMY_PATH_INFO)).rejects.toBe(OUTAGE);
    expect(await near.get(hash)).toBeUndefined();
  });

  it("is not asked for what near has", async () => {
    await near.put(DUMMY_PATH_INFO);
    expect(await compose({ ofFar: failFrom("get") }).get(hash)).toBe(DUMMY_PATH_INFO);
  });
});

describe("A near that fails", () => {
  it("to take a path info is passed over, and reported", async () => {
    const service = compose({ ofNear: failFrom("put") });
    expect(await service.put(DUMMY_PATH_INFO)).toBe(DUMMY_PATH_INFO);
    expect(await service.get(hash)).toBe(DUMMY_PATH_INFO);
    expect(nearFailures).toEqual([OUTAGE, OUTAGE]);
  });

  it("to be read is an error", async () => {
    await expect(compose({ ofNear: failFrom("get") }).get(hash)).rejects.toBe(OUTAGE);
  });

  it("with a damaged path info does not hide far's", async () => {
    await far.put(DUMMY_PATH_INFO);
    const damage = new StoreError("corrupt", "bad disk");
    const service = compose({ ofNear: failFrom("get", 1, damage) });
    expect(await service.get(hash)).toBe(DUMMY_PATH_INFO);
    expect(nearFailures).toEqual([damage]);
  });
});
