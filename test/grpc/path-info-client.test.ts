import { afterEach, describe, expect, it } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { GrpcPathInfoService } from "../../src/grpc/path-info-client.js";
import { MemoryPathInfoService } from "../../src/store/path-info/memory.js";
import type { PathInfoService } from "../../src/store/path-info/service.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { StorePath } from "../../src/store/store-path.js";
import { DUMMY_PATH_INFO } from "../store/support/path-info.js";
import { failFrom, Gate, WatchedPathInfoService } from "../support/watched-services.js";
import { type Pair, pairWith } from "./support/pair.js";
import { memoryServices } from "./support/serve.js";

const { ca: _ca, ...dummy } = DUMMY_PATH_INFO;
const { hash } = dummy.storePath;
const other: PathInfo = {
  ...dummy,
  storePath: StorePath.from(new Uint8Array(20).fill(1), "other"),
};

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function connect(pathInfos: PathInfoService): Promise<GrpcPathInfoService> {
  pair = await pairWith({ ...memoryServices(), pathInfos });
  return new GrpcPathInfoService(pair.channel);
}

/** Answers everything with `answer`. */
class Scripted extends MemoryPathInfoService {
  readonly #answer: PathInfo;
  constructor(answer: PathInfo) {
    super();
    this.#answer = answer;
  }
  override async get(): Promise<PathInfo | undefined> {
    return this.#answer;
  }
  override async put(): Promise<PathInfo> {
    return this.#answer;
  }
  override async *list(): AsyncGenerator<PathInfo> {
    yield this.#answer;
  }
}

describe("GrpcPathInfoService", () => {
  it("repeats questions that the server could not answer for the moment", async () => {
    let failures = 0;
    const inner = new MemoryPathInfoService();
    const service = await connect(
      new WatchedPathInfoService(inner, () => {
        if (failures++ % 2 === 0) throw new StoreError("unavailable", "not now");
      }),
    );
    await service.put(dummy);
    expect(await service.get(hash)).toBeDefined();
    let listed = 0;
    for await (const _pathInfo of service.list()) listed++;
    expect([listed, failures]).toEqual([1, 6]);
  });

  it("does not take a failure for an absence", async () => {
    const failing = failFrom("get", 1, new StoreError("permission-denied", "not you"));
    const service = await connect(new WatchedPathInfoService(new MemoryPathInfoService(), failing));
    await expect(service.get(hash)).rejects.toMatchObject({ code: "permission-denied" });
  });

  it("can be given up", async () => {
    const gate = new Gate("get");
    const service = await connect(
      new WatchedPathInfoService(new MemoryPathInfoService(), gate.hook),
    );
    const stop = new AbortController();
    const asked = service.get(hash, { signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: "aborted" });
    gate.open();
  });
});

describe("A server that lies", () => {
  it("about what was asked for is found out", async () => {
    const service = await connect(new Scripted(other));
    await expect(service.get(hash)).rejects.toMatchObject({ code: "corrupt" });
    await expect(service.put(dummy)).rejects.toMatchObject({ code: "corrupt" });
  });

  it("about the rules is found out", async () => {
    const service = await connect(new Scripted({ ...dummy, narSha256: new Uint8Array(31) }));
    await expect(service.get(hash)).rejects.toMatchObject({ code: "corrupt" });
    await expect(service.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "corrupt",
    });
  });
});
