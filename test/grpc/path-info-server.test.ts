import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { directoryFrom } from "../../src/castore/directory-codec.js";
import { encodeNode } from "../../src/castore/node-codec.js";
import { FAMILIES, type Family, serviceDefinitions } from "../../src/grpc/definitions.js";
import type { GrpcServerOptions } from "../../src/grpc/server.js";
import { contentAddressedPath } from "../../src/store/content-address.js";
import { fingerprint } from "../../src/store/narinfo/fingerprint.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { encodePathInfo } from "../../src/store/path-info-codec.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { StorePath } from "../../src/store/store-path.js";
import { serializePathInfo } from "../protos/messages.js";
import { BAD_PATH_INFOS, message } from "../store/support/bad-path-infos.js";
import { NAR_FIXTURES, type NarFixture } from "../store/support/nar-fixtures.js";
import { TEST_SECRET_KEY } from "../store/support/narinfos.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "../store/support/path-info.js";
import { storeTree } from "../store/support/tree.js";
import { bytes } from "../support/bytes.js";
import { callsOf, only } from "./support/messages.js";
import { memoryServices, serve } from "./support/serve.js";

const NO_NAME = new Uint8Array(0);
const fixture = NAR_FIXTURES[1] as NarFixture;

/** A server with the fixture's content, and the path info that belongs to it. */
async function prepare(family: Family, options: Partial<GrpcServerOptions> = {}) {
  const services = memoryServices();
  const { client } = await serve({ services, ...options });
  const node = await storeTree(fixture.tree, services);
  const narSha256 = Buffer.from(fixture.sha256, "hex");
  const pathInfo: PathInfo = {
    storePath: contentAddressedPath(
      { method: "nar", algorithm: "sha256", digest: narSha256 },
      fixture.name,
      [],
    ),
    node,
    references: [],
    narSize: BigInt(fixture.length),
    narSha256,
    signatures: [],
    ca: { method: "nar", algorithm: "sha256", digest: narSha256 },
  };
  return { ...callsOf(family, client), services, pathInfo };
}

function signed(pathInfo: PathInfo, ...keys: number[]): PathInfo {
  const signatures = keys.map((key) => ({ name: `key-${key}`, data: Buffer.alloc(64, key) }));
  return { ...pathInfo, signatures };
}

describe.each(FAMILIES)("%s PathInfoService", async (family) => {
  const { getPathInfo } = await prepare(family);

  it("cannot Get what is not said", async () => {
    expect(await getPathInfo(undefined)).toMatchObject({
      status: "UNIMPLEMENTED",
      details: "by_what needs to be specified",
    });
  });

  it.each([0, 19, 21])("refuses a hash of %d bytes", async (length) => {
    expect(await getPathInfo(new Uint8Array(length))).toMatchObject({
      status: "INVALID_ARGUMENT",
    });
  });

  it("does not find what was never stored", async () => {
    expect(await getPathInfo(DUMMY_PATH.hash)).toMatchObject({
      status: "NOT_FOUND",
      messages: [],
      details: expect.stringContaining("0".repeat(32)),
    });
  });

  it("stores a path info, gives it back and lists it", async () => {
    const { putPathInfo, getPathInfo, list, pathInfo } = await prepare(family);
    expect(await list()).toMatchObject({ status: "OK", messages: [] });
    const sent = encodePathInfo(pathInfo);
    expect(await putPathInfo(sent)).toMatchObject({ status: "OK", messages: [sent] });
    expect((await getPathInfo(pathInfo.storePath.hash)).messages).toEqual([sent]);
    expect((await list()).messages).toEqual([sent]);
  });

  it("merges signatures", async () => {
    const { putPathInfo, pathInfo } = await prepare(family);
    await putPathInfo(encodePathInfo(signed(pathInfo, 1)));
    expect((await putPathInfo(encodePathInfo(signed(pathInfo, 2)))).messages).toEqual([
      encodePathInfo(signed(pathInfo, 1, 2)),
    ]);
  });

  it("refuses one that contradicts what is stored, and keeps that", async () => {
    const { putPathInfo, getPathInfo, pathInfo } = await prepare(family);
    const { ca: _ca, ...uncertain } = { ...pathInfo, storePath: DUMMY_PATH };
    await putPathInfo(encodePathInfo(uncertain));
    const answer = await putPathInfo(encodePathInfo({ ...uncertain, narSize: 7n }));
    expect(answer.status).toBe("INVALID_ARGUMENT");
    expect(answer.details).toContain("NAR size");
    expect((await getPathInfo(DUMMY_PATH.hash)).messages).toEqual([encodePathInfo(uncertain)]);
  });

  it("takes one that contradicts what is stored when it may overwrite", async () => {
    const { putPathInfo, getPathInfo, pathInfo } = await prepare(family, { allowOverwrite: true });
    const { ca: _ca, ...uncertain } = { ...signed(pathInfo, 1), storePath: DUMMY_PATH };
    await putPathInfo(encodePathInfo(uncertain));
    const changed = encodePathInfo({ ...signed(uncertain, 2), narSize: 7n });
    expect(await putPathInfo(changed)).toMatchObject({ status: "OK", messages: [changed] });
    expect((await getPathInfo(DUMMY_PATH.hash)).messages).toEqual([changed]);
  });

  describe("with trusted keys", () => {
    const key = SecretKey.parse(TEST_SECRET_KEY);
    const trusting = { trustedKeys: [key.publicKey] };
    const named = (pathInfo: PathInfo): PathInfo => {
      const { ca: _ca, ...rest } = { ...pathInfo, storePath: DUMMY_PATH };
      return rest;
    };

    it("takes what one of them has signed", async () => {
      const { putPathInfo, getPathInfo, pathInfo } = await prepare(family, trusting);
      const info = named(pathInfo);
      const signature = key.sign(fingerprint(info));
      const encoded = encodePathInfo({ ...info, signatures: [signature] });
      expect(await putPathInfo(encoded)).toMatchObject({ status: "OK", messages: [encoded] });
      expect((await getPathInfo(DUMMY_PATH.hash)).messages).toEqual([encoded]);
    });

    it("refuses what nobody, somebody else, or the key for something else has signed", async () => {
      const { putPathInfo, getPathInfo, pathInfo } = await prepare(family, trusting);
      const info = named(pathInfo);
      const signature = key.sign(fingerprint(info));
      for (const forged of [
        info,
        signed(info, 1),
        { ...info, signatures: [{ ...signature, name: "other" }] },
        { ...info, narSize: info.narSize + 1n, signatures: [signature] },
      ]) {
        const answer = await putPathInfo(encodePathInfo(forged));
        expect(answer.status).toBe("PERMISSION_DENIED");
        expect(answer.details).toContain("trusted");
      }
      expect((await getPathInfo(DUMMY_PATH.hash)).status).toBe("NOT_FOUND");
    });

    it("refuses other content under a good signature", async () => {
      const { putPathInfo, getPathInfo, pathInfo, services } = await prepare(family, trusting);
      const other = await storeTree((NAR_FIXTURES[0] as NarFixture).tree, services);
      const info = named(pathInfo);
      const good = { ...info, signatures: [key.sign(fingerprint(info))] };
      const answer = await putPathInfo(encodePathInfo({ ...good, node: other }));
      expect(answer).toMatchObject({
        status: "INVALID_ARGUMENT",
        details: expect.stringContaining("does not have its NAR hash"),
      });
      expect((await getPathInfo(DUMMY_PATH.hash)).status).toBe("NOT_FOUND");
      expect((await putPathInfo(encodePathInfo(good))).status).toBe("OK");
    });

    it("takes unsigned what its content makes it, and nothing that claims to be", async () => {
      const { putPathInfo, getPathInfo, pathInfo, services } = await prepare(family, trusting);
      const other = await storeTree((NAR_FIXTURES[0] as NarFixture).tree, services);
      const lie = await putPathInfo(encodePathInfo({ ...pathInfo, node: other }));
      expect(lie.status).toBe("INVALID_ARGUMENT");
      expect(lie.details).toContain("content address");
      expect((await getPathInfo(pathInfo.storePath.hash)).status).toBe("NOT_FOUND");
      expect((await putPathInfo(encodePathInfo(pathInfo))).status).toBe("OK");
    });
  });

  it.each<[string, (pathInfo: PathInfo) => Uint8Array, string]>([
    ["no message", () => Buffer.from([0xff]), "Malformed"],
    ["an empty message", () => Buffer.alloc(0), "no narinfo"],
    ["a short NAR hash", (it) => encodePathInfo({ ...it, narSha256: NO_NAME }), "NAR SHA-256"],
    [
      "a short signature",
      (it) => encodePathInfo({ ...it, signatures: [{ name: "k", data: NO_NAME }] }),
      "signature 0",
    ],
    [
      "another store path than its content address makes",
      (it) => encodePathInfo({ ...it, storePath: StorePath.from(it.storePath.hash, "other") }),
      "content address",
    ],
    [
      "another NAR hash than its content address",
      (it) => encodePathInfo({ ...it, narSha256: Buffer.alloc(32) }),
      "content address",
    ],
  ])("refuses %s, and says why", async (_title, bad, why) => {
    const { putPathInfo, list, pathInfo } = await prepare(family);
    const answer = await putPathInfo(bad(pathInfo));
    expect(answer.status).toBe("INVALID_ARGUMENT");
    expect(answer.details).toContain(why);
    expect((await list()).messages).toEqual([]);
  });

  it.each(BAD_PATH_INFOS)("refuses a path info with %s", async (_title, changes, why) => {
    const { putPathInfo, list } = await prepare(family, { allowIncomplete: true });
    const answer = await putPathInfo(serializePathInfo({ ...message, ...changes }));
    expect(answer.status).toBe("INVALID_ARGUMENT");
    expect(answer.details).toContain(why);
    expect((await list()).messages).toEqual([]);
  });

  it("refuses one whose content is not complete, unless told otherwise", async () => {
    const { ca: _ca, ...incomplete } = DUMMY_PATH_INFO;
    const strict = await prepare(family);
    const answer = await strict.putPathInfo(encodePathInfo(incomplete));
    expect(answer.status).toBe("INVALID_ARGUMENT");
    expect(answer.details).toContain("not complete");
    const lax = await prepare(family, { allowIncomplete: true });
    expect((await lax.putPathInfo(encodePathInfo(incomplete))).status).toBe("OK");
  });

  it.each(NAR_FIXTURES)("calculates the NAR of $title, named and nameless", async (each) => {
    const { calculateNar, services } = await prepare(family);
    const { CalculateNAR } = serviceDefinitions(family).pathInfos;
    const node = await storeTree(each.tree, services);
    for (const name of ["", `${each.hash}-${each.name}`, "any name"]) {
      const { status, messages } = await calculateNar(encodeNode(bytes(name), node));
      expect(status).toBe("OK");
      expect(CalculateNAR.responseDeserialize(only(messages))).toEqual({
        nar_size: String(each.length),
        nar_sha256: Buffer.from(each.sha256, "hex"),
      });
    }
  });

  it("does not calculate for no node, a bad name, or content that is not there", async () => {
    const { calculateNar, pathInfo } = await prepare(family);
    const node = encodeNode(bytes("a/b"), pathInfo.node);
    expect(await calculateNar(Buffer.alloc(0))).toMatchObject({
      status: "INVALID_ARGUMENT",
      details: "no root node sent",
    });
    expect(await calculateNar(node)).toMatchObject({ status: "INVALID_ARGUMENT" });
    expect(await calculateNar(encodeNode(NO_NAME, DUMMY_PATH_INFO.node))).toMatchObject({
      status: "DATA_LOSS",
    });
  });
});

describe("PathInfoService over a backend", () => {
  it("that cannot list says so", async () => {
    const services = memoryServices();
    const pathInfos = {
      get: async () => undefined,
      put: async (pathInfo: PathInfo) => pathInfo,
      // biome-ignore lint/correctness/useYield: it has nothing to yield.
      list: async function* (): AsyncGenerator<PathInfo> {
        throw new StoreError("unsupported", "This cache cannot be listed");
      },
    };
    const { client } = await serve({ services: { ...services, pathInfos } });
    expect(await callsOf("tvix", client).list()).toMatchObject({ status: "UNIMPLEMENTED" });
  });

  it("with a directory nested too deeply does not calculate its NAR", async () => {
    const { calculateNar, services } = await prepare("tvix");
    let inner = directoryFrom([]);
    for (let depth = 0; depth < 5000; depth++) {
      await services.directories.put(inner);
      const { digest, size } = inner;
      inner = directoryFrom([{ name: bytes("d"), node: { type: "directory", digest, size } }]);
    }
    await services.directories.put(inner);
    const { digest, size } = inner;
    expect(
      await calculateNar(encodeNode(NO_NAME, { type: "directory", digest, size })),
    ).toMatchObject({ status: "RESOURCE_EXHAUSTED" });
  });
});
