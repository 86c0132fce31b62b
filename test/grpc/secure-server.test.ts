/**
 * TLS, client certificates and tokens, as clients meet them.
 */
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { putBlob } from "../../src/castore/blob/service.js";
import { GrpcBlobService } from "../../src/grpc/blob-client.js";
import type { CallRecord } from "../../src/grpc/call-record.js";
import { Channel, type ClientIdentity } from "../../src/grpc/channel.js";
import { FAMILIES, serviceDefinitions } from "../../src/grpc/definitions.js";
import { GrpcDirectoryService } from "../../src/grpc/directory-client.js";
import { parseListenAddress } from "../../src/grpc/listen-address.js";
import { GrpcPathInfoService } from "../../src/grpc/path-info-client.js";
import { GrpcServer, type GrpcServerOptions } from "../../src/grpc/server.js";
import { TokenTable } from "../../src/grpc/token-table.js";
import { encodePathInfo } from "../../src/store/path-info-codec.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "../store/support/path-info.js";
import { bytes } from "../support/bytes.js";
import { temporaryFolder } from "../support/temp.js";
import { DIRECTORY } from "../vectors/directories.js";
import { encodeBlobChunk } from "./support/blob-chunk.js";
import { Authority, type Certified } from "./support/certificates.js";
import { callsOf } from "./support/messages.js";
import { RawClient } from "./support/raw-client.js";
import { memoryServices, recordingLog } from "./support/serve.js";

const READER = "reader-token-0123456789";
const WRITER = "writer-token-0123456789";
const TOKENS = TokenTable.parse(`read alice ${READER}\nwrite bob ${WRITER}\n`, "tokens");

let authority: Authority;
let stranger: Authority;
let server: Certified;
let client: Certified;

beforeAll(() => {
  authority = new Authority("ours");
  stranger = new Authority("stranger");
  server = authority.certify("server");
  client = authority.certify("client");
});

const closing: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

async function start(options: Partial<GrpcServerOptions>, address = "127.0.0.1:0") {
  const services = memoryServices();
  const running = new GrpcServer({ services, log: recordingLog(), ...options });
  closing.push(() => running.stop(0));
  const [target = ""] = await running.listen(parseListenAddress(address));
  return { running, target, services };
}

function connectTo(target: string, identity: ClientIdentity = {}, tls = true): GrpcBlobService {
  const channel = new Channel({ address: "grpc+https://there", target, tls, identity });
  closing.push(() => channel.close());
  return new GrpcBlobService(channel);
}

const shown = ({ certificate, key }: Certified) => ({ chain: certificate, key });

describe("TLS", () => {
  it("lets in who trusts the server's authority, and nobody who does not", async () => {
    const { target } = await start({ tls: server });
    const blobs = connectTo(target, { authority: authority.certificate });
    const { digest } = await putBlob(blobs, bytes("secret"));
    expect(await blobs.has(digest)).toBe(true);
    for (const identity of [{}, { authority: stranger.certificate }]) {
      await expect(connectTo(target, identity).has(digest)).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(/certificate/),
      });
    }
  });

  it("is not spoken in plain text", async () => {
    const { target } = await start({ tls: server });
    await expect(
      connectTo(target, {}, false).has(
        DUMMY_PATH_INFO.node.type === "file" ? DUMMY_PATH_INFO.node.digest : DIRECTORY.empty.digest,
      ),
    ).rejects.toMatchObject({ code: "unavailable" });
  });

  it("is for TCP: a unix socket is guarded by its mode", async () => {
    const { target } = await start({ tls: server }, `unix:${join(temporaryFolder(), "socket")}`);
    const blobs = connectTo(target, {}, false);
    const { digest } = await putBlob(blobs, bytes("secret"));
    expect(await blobs.has(digest)).toBe(true);
  });

  it("asks for a client certificate where it should, and believes no stranger's", async () => {
    const tls = { ...server, clientAuthority: authority.certificate };
    const { target } = await start({ tls });
    const trust = { authority: authority.certificate };
    const blobs = connectTo(target, { ...trust, certificate: shown(client) });
    const { digest } = await putBlob(blobs, bytes("secret"));
    expect(await blobs.has(digest)).toBe(true);
    const forged = stranger.certify("client");
    for (const identity of [trust, { ...trust, certificate: shown(forged) }]) {
      await expect(connectTo(target, identity).has(digest)).rejects.toMatchObject({
        code: "unavailable",
      });
    }
  });

  it("shows a new certificate to connections that come after it was renewed", async () => {
    const { running, target } = await start({ tls: server });
    const [, port] = target.split(":");
    const serialOf = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(
          {
            host: "127.0.0.1",
            port: Number(port),
            ca: authority.certificate,
            ALPNProtocols: ["h2"],
          },
          () => {
            resolve(socket.getPeerCertificate().serialNumber);
            socket.destroy();
          },
        );
        socket.on("error", reject);
      });
    const before = await serialOf();
    expect(await serialOf()).toBe(before);
    running.renew({ tls: authority.certify("renewed"), tokens: undefined });
    expect(await serialOf()).not.toBe(before);
  });

  it.each(["certificate", "key"])("does not start with a %s that is none", (part) => {
    const tls = { ...server, [part]: bytes("nonsense") };
    expect(() => new GrpcServer({ services: memoryServices(), log: recordingLog(), tls })).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });

  it("does not connect with a client certificate that is none", () => {
    const certificate = { chain: bytes("nonsense"), key: client.key };
    expect(() => connectTo("127.0.0.1:1", { certificate })).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});

/** Each rpc of a family, with content that a server would take. */
function callsTo(target: string, family: (typeof FAMILIES)[number], token: string | undefined) {
  const raw = new RawClient(target, {}, token);
  closing.push(() => raw.close());
  const calls = callsOf(family, raw);
  const reading: Record<string, () => Promise<{ status: string }>> = {
    "BlobService.Stat": () => calls.stat(Buffer.alloc(32)),
    "BlobService.Read": () => calls.read(Buffer.alloc(32)),
    "DirectoryService.Get": () => calls.getDirectory(Buffer.alloc(32)),
    "PathInfoService.Get": () => calls.getPathInfo(DUMMY_PATH.hash),
    "PathInfoService.CalculateNAR": () => calls.calculateNar(Buffer.alloc(0)),
    "PathInfoService.List": () => calls.list(),
  };
  const writing: Record<string, () => Promise<{ status: string }>> = {
    "BlobService.Put": () => calls.putBlob([bytes("x")]),
    "DirectoryService.Put": () => calls.putDirectories([DIRECTORY.empty.bytes]),
    "PathInfoService.Put": () => calls.putPathInfo(encodePathInfo(DUMMY_PATH_INFO)),
  };
  return { reading, writing };
}

async function statusesOf(calls: Record<string, () => Promise<{ status: string }>>) {
  const statuses = new Set<string>();
  for (const call of Object.values(calls)) statuses.add((await call()).status);
  return [...statuses];
}

describe.each(FAMILIES)("Tokens, for the services of %s", (family) => {
  it.each([
    ["missing", undefined],
    ["wrong", "wrong-token-0123456789"],
    ["empty", ""],
    ["almost right", `${READER}x`],
  ])("that are %s let in to nothing: UNAUTHENTICATED", async (_title, token) => {
    const { target, services } = await start({ tokens: TOKENS });
    const { reading, writing } = callsTo(target, family, token);
    expect(await statusesOf(reading)).toEqual(["UNAUTHENTICATED"]);
    expect(await statusesOf(writing)).toEqual(["UNAUTHENTICATED"]);
    expect(await services.directories.get(DIRECTORY.empty.digest)).toBeUndefined();
  });

  it("for reading let in to reading: PERMISSION_DENIED for the rest", async () => {
    const { target, services } = await start({ tokens: TOKENS });
    const { reading, writing } = callsTo(target, family, READER);
    expect((await statusesOf(reading)).sort()).toEqual(["INVALID_ARGUMENT", "NOT_FOUND", "OK"]);
    expect(await statusesOf(writing)).toEqual(["PERMISSION_DENIED"]);
    expect(await services.directories.get(DIRECTORY.empty.digest)).toBeUndefined();
  });

  it("for writing let in to everything", async () => {
    const { target } = await start({ tokens: TOKENS, allowIncomplete: true });
    const { reading, writing } = callsTo(target, family, WRITER);
    expect((await statusesOf(reading)).sort()).toEqual(["INVALID_ARGUMENT", "NOT_FOUND", "OK"]);
    expect((await statusesOf(writing)).sort()).toEqual(["INVALID_ARGUMENT", "OK"]);
  });

  it("are of no use for writing to a server for reading", async () => {
    for (const tokens of [TOKENS, undefined]) {
      const { target } = await start({ tokens, readOnly: true });
      const { reading, writing } = callsTo(target, family, WRITER);
      expect((await statusesOf(reading)).sort()).toEqual(["INVALID_ARGUMENT", "NOT_FOUND", "OK"]);
      expect(await statusesOf(writing)).toEqual(["PERMISSION_DENIED"]);
    }
  });
});

describe("A call that is not let in", () => {
  it("is refused before its upload has been heard, and counted", async () => {
    const records: CallRecord[] = [];
    const { target } = await start({ tokens: TOKENS, onCall: (record) => records.push(record) });
    const raw = new RawClient(target, {}, READER);
    closing.push(() => raw.close());
    const { stream, done } = raw.startUpload(serviceDefinitions("tvix").blobs.Put.path);
    stream.write(encodeBlobChunk(bytes("never ends")));
    expect(await done).toMatchObject({
      status: "PERMISSION_DENIED",
      details: 'The token of "alice" is for reading only',
    });
    expect(records).toMatchObject([
      { method: "/tvix.castore.v1.BlobService/Put", code: 7, caller: "alice", receivedBytes: 0 },
    ]);
    expect(JSON.stringify(records)).not.toContain(READER);
  });

  it("fails for our clients with permission-denied, at once", async () => {
    const { target } = await start({ tokens: TOKENS });
    const channel = new Channel({
      address: "there",
      target,
      tls: false,
      identity: { token: READER },
    });
    closing.push(() => channel.close());
    const denied = { code: "permission-denied" };
    await expect(putBlob(new GrpcBlobService(channel), bytes("x"))).rejects.toMatchObject(denied);
    await expect(new GrpcDirectoryService(channel).put(DIRECTORY.empty)).rejects.toMatchObject(
      denied,
    );
    await expect(new GrpcPathInfoService(channel).put(DUMMY_PATH_INFO)).rejects.toMatchObject(
      denied,
    );
    expect(await new GrpcDirectoryService(channel).get(DIRECTORY.empty.digest)).toBeUndefined();
    await expect(connectTo(target, {}, false).has(DIRECTORY.empty.digest)).rejects.toMatchObject(
      denied,
    );
  });

  it("may carry a token that was taken away meanwhile", async () => {
    const { running, target } = await start({ tokens: TOKENS });
    const blobs = connectTo(target, { token: WRITER }, false);
    const { digest } = await putBlob(blobs, bytes("x"));
    running.renew({ tls: undefined, tokens: TokenTable.parse(`read alice ${READER}`, "tokens") });
    await expect(blobs.has(digest)).rejects.toMatchObject({ code: "permission-denied" });
  });
});

describe("TokenTable.parse()", () => {
  it("reads names and rights, with comments and empty lines between", () => {
    const table = TokenTable.parse(`# who\n\nread a ${READER}\n  write\tb  ${WRITER}  \r\n`, "f");
    expect(table.find(READER)).toEqual({ name: "a", right: "read" });
    expect(table.find(WRITER)).toEqual({ name: "b", right: "write" });
    expect(table.find("read")).toBeUndefined();
  });

  it.each([
    ["", "f lists no token"],
    ["# only a comment", "f lists no token"],
    [`\n${WRITER}`, "f, line 2: expected"],
    [`admin a ${WRITER}`, "f, line 1: expected"],
    [`write a ${WRITER} more`, "f, line 1: expected"],
    ["write a short", "less than 16 characters"],
    ["write a tökentökentökentöken", "characters other than"],
    [`read a ${WRITER}\nwrite b ${WRITER}`, "f, line 2: this token was listed before"],
  ])("refuses %j, and does not repeat it", (text, why) => {
    expect(() => TokenTable.parse(text, "f")).toThrow(why);
    expect(() => TokenTable.parse(text, "f")).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("token-0123") }),
    );
  });
});
