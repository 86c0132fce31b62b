import { afterEach, describe, expect, it } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { MemoryDirectoryService } from "../../src/castore/directory/memory.js";
import type { DirectoryService } from "../../src/castore/directory/service.js";
import type { Directory } from "../../src/castore/directory.js";
import { directoryFrom } from "../../src/castore/directory-codec.js";
import { GrpcDirectoryService } from "../../src/grpc/directory-client.js";
import { bytes } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";
import {
  failFrom,
  Gate,
  StepCounts,
  WatchedDirectoryService,
} from "../support/watched-services.js";
import { DIRECTORY } from "../vectors/directories.js";
import { type Pair, pairWith } from "./support/pair.js";
import { memoryServices } from "./support/serve.js";

const { empty, b, c, d, withKeep } = DIRECTORY;

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function connect(directories: DirectoryService): Promise<GrpcDirectoryService> {
  pair = await pairWith({ ...memoryServices(), directories });
  return new GrpcDirectoryService(pair.channel);
}

/** Answers every question with these directories, then fails when told to. */
class Scripted extends MemoryDirectoryService {
  readonly #answers: readonly Directory[];
  readonly #end: StoreError | undefined;

  constructor(answers: readonly Directory[], end?: StoreError) {
    super();
    this.#answers = answers;
    this.#end = end;
  }

  override async get(): Promise<Directory | undefined> {
    return this.#answers[0];
  }

  override async *getRecursive(): AsyncGenerator<Directory> {
    yield* this.#answers;
    if (this.#end !== undefined) throw this.#end;
  }
}

async function closure(service: DirectoryService, root: Directory): Promise<string[]> {
  const digests: string[] = [];
  for await (const { digest } of service.getRecursive(root.digest)) digests.push(digest.hex);
  return digests;
}

describe("GrpcDirectoryService", () => {
  it("gets and puts a directory larger than four megabytes", async () => {
    const large = directoryFrom(
      Array.from({ length: 80_000 }, (_, index) => ({
        name: bytes(`a file with a rather long name, ${index}`),
        node: { type: "file", digest: EMPTY_DIGEST, size: 0n, executable: false } as const,
      })),
    );
    expect(large.bytes.length).toBeGreaterThan(4 * 1024 * 1024);
    const service = await connect(new MemoryDirectoryService());
    await service.put(large);
    expect((await service.get(large.digest))?.digest.equals(large.digest)).toBe(true);
  });

  it("repeats questions and single puts that the server could not take for the moment", async () => {
    let failures = 0;
    const moody = new WatchedDirectoryService(new MemoryDirectoryService(), (step) => {
      if ((step === "get" || step === "close") && failures++ % 2 === 0) {
        throw new StoreError("unavailable", "not now");
      }
    });
    const service = await connect(moody);
    await service.put(withKeep);
    expect(await service.get(withKeep.digest)).toBeDefined();
    expect(failures).toBe(4);
  });

  it("does not take a failure for an absence", async () => {
    const failing = failFrom("get", 1, new StoreError("corrupt", "bad disk"));
    const service = await connect(
      new WatchedDirectoryService(new MemoryDirectoryService(), failing),
    );
    await expect(service.get(b.digest)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("bad disk"),
    });
  });

  it("asks for a closure once", async () => {
    const counts = new StepCounts();
    const inner = new MemoryDirectoryService();
    for (const directory of [empty, b, d]) await inner.put(directory);
    const service = await connect(new WatchedDirectoryService(inner, counts.hook));
    expect(await closure(service, d)).toHaveLength(3);
    expect([counts.of("getRecursive"), counts.of("get")]).toEqual([1, 0]);
  });

  it("can be given up", async () => {
    const gate = new Gate("get");
    const service = await connect(
      new WatchedDirectoryService(new MemoryDirectoryService(), gate.hook),
    );
    const stop = new AbortController();
    const asked = service.get(b.digest, { signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: "aborted" });
    gate.open();
  });

  it("sends nothing of an upload that breaks the rules", async () => {
    const counts = new StepCounts();
    const server = new WatchedDirectoryService(new MemoryDirectoryService(), counts.hook);
    const service = await connect(server);
    const putter = service.startPut();
    await expect(putter.put(b)).rejects.toMatchObject({ code: "invalid-argument" });
    expect(counts.of("put")).toBe(0);
  });
});

describe("A server that lies", () => {
  it("about one directory is found out", async () => {
    const service = await connect(new Scripted([withKeep]));
    await expect(service.get(b.digest)).rejects.toMatchObject({ code: "corrupt" });
  });

  it.each<[string, Directory[], string]>([
    ["sends another root", [withKeep], "corrupt"],
    ["sends a child first", [empty, b], "corrupt"],
    ["sends something else in between", [d, withKeep, b, empty], "corrupt"],
    ["sends something twice", [c, empty, empty], "corrupt"],
    ["leaves something out", [d, b], "dangling-reference"],
    ["sends the root alone", [b], "dangling-reference"],
  ])("about a closure is found out when it %s", async (_title, answers, code) => {
    const root = answers.includes(d) ? d : answers.includes(c) ? c : b;
    const service = await connect(new Scripted(answers));
    await expect(closure(service, root)).rejects.toMatchObject({ code });
  });

  it("in the middle of a closure fails is not taken for one that is done", async () => {
    const service = await connect(new Scripted([d, b], new StoreError("unavailable", "gone")));
    await expect(closure(service, d)).rejects.toMatchObject({ code: "unavailable" });
  });
});
