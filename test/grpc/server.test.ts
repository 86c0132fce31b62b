import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { GrpcReflection } from "grpc-js-reflection-client";
import { describe, expect, it } from "vitest";
import { putBlob } from "../../src/castore/blob/service.js";
import { B3Digest } from "../../src/castore/digest.js";
import { encodeNode } from "../../src/castore/node-codec.js";
import { FAMILIES, serviceDefinitions, serviceNames } from "../../src/grpc/definitions.js";
import { isPublic, parseListenAddress } from "../../src/grpc/listen-address.js";
import { GrpcServer } from "../../src/grpc/server.js";
import { encodePathInfo } from "../../src/store/path-info-codec.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "../store/support/path-info.js";
import { bytes, noise } from "../support/bytes.js";
import { runProgram } from "../support/child.js";
import { temporaryFolder } from "../support/temp.js";
import { DIRECTORY } from "../vectors/directories.js";
import { encodeBlobChunk } from "./support/blob-chunk.js";
import { callsOf, contentIn } from "./support/messages.js";
import { type RawAnswer, RawClient } from "./support/raw-client.js";
import { framed, startCall } from "./support/raw-frames.js";
import { memoryServices, recordingLog, serve } from "./support/serve.js";

describe("parseListenAddress()", () => {
  it.each([
    ["localhost:8000", { type: "tcp", host: "localhost", port: 8000 }, false],
    ["127.0.0.1:0", { type: "tcp", host: "127.0.0.1", port: 0 }, false],
    ["[::1]:65535", { type: "tcp", host: "::1", port: 65_535 }, false],
    ["[::]:8000", { type: "tcp", host: "::", port: 8000 }, true],
    ["store.example:1", { type: "tcp", host: "store.example", port: 1 }, true],
    ["unix:/run/a b", { type: "unix", path: "/run/a b", mode: 0o600 }, false],
    ["unix:///run/x", { type: "unix", path: "/run/x", mode: 0o600 }, false],
    ["unix:x?mode=0660", { type: "unix", path: "x", mode: 0o660 }, false],
  ])("reads %s", (text, address, open) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(isPublic(parseListenAddress(text))).toBe(open);
  });

  it.each([
    "",
    "8000",
    ":8000",
    "localhost",
    "::1:8000",
    "host:65536",
    "host:-1",
    "a b:1",
    "unix:",
    "unix:/x?mode=999",
    "unix:/x?owner=me",
    "http://localhost:8000",
  ])("refuses %j", (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});

describe("GrpcServer.listen()", () => {
  const start = (): GrpcServer =>
    new GrpcServer({ services: memoryServices(), log: recordingLog() });
  const listen = (server: GrpcServer, text: string) => server.listen(parseListenAddress(text));
  const answers = async (target: string): Promise<string> => {
    const client = new RawClient(target);
    const { status } = await callsOf("tvix", client).stat(Buffer.alloc(32));
    client.close();
    return status;
  };

  it("serves on several addresses at once, on the same port of both loopbacks", async () => {
    const socket = join(temporaryFolder(), "socket");
    const server = start();
    const tcp = await listen(server, "localhost:0");
    const unix = await listen(server, `unix:${socket}`);
    expect(tcp[0]).toMatch(/^127\.0\.0\.1:\d+$/);
    if (tcp.length > 1) expect(tcp[1]).toBe(`[::1]:${tcp[0]?.split(":")[1]}`);
    for (const target of [...tcp, ...unix]) expect(await answers(target)).toBe("NOT_FOUND");
    await server.stop(1000);
    expect(existsSync(socket)).toBe(false);
  });

  it.each([0o600, 0o660, 0o666])("gives a unix socket the mode %o", async (mode) => {
    const socket = join(temporaryFolder(), "socket");
    const server = start();
    await listen(server, `unix:${socket}?mode=${mode.toString(8)}`);
    expect(statSync(socket).mode & 0o777).toBe(mode);
    await server.stop(0);
  });

  it("takes the place of a socket nobody listens on, but of nothing else", async () => {
    const socket = join(temporaryFolder(), "socket");
    const first = start();
    await listen(first, `unix:${socket}`);
    const second = start();
    await expect(listen(second, `unix:${socket}`)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("another process does"),
    });
    expect(await answers(`unix:${socket}`)).toBe("NOT_FOUND");
    await first.stop(0);

    // A process that is killed leaves its socket behind.
    const killed = `require("net").createServer().listen(process.argv[1], () =>
      process.kill(process.pid, "SIGKILL"))`;
    await runProgram(process.execPath, ["-e", killed, socket]);
    expect(existsSync(socket)).toBe(true);
    await listen(second, `unix:${socket}`);
    expect(await answers(`unix:${socket}`)).toBe("NOT_FOUND");

    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "precious");
    await expect(listen(second, `unix:${file}`)).rejects.toMatchObject({ code: "unavailable" });
    expect(existsSync(file)).toBe(true);
    await second.stop(0);
  });

  it("says what is in the way of a port", async () => {
    const first = start();
    const [taken = ""] = await listen(first, "127.0.0.1:0");
    const second = start();
    await expect(listen(second, taken)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining(taken),
    });
    await Promise.all([first.stop(0), second.stop(0)]);
  });
});

describe("GrpcServer", () => {
  it("answers both families with the same bytes", async () => {
    const run = async (family: (typeof FAMILIES)[number]): Promise<RawAnswer[]> => {
      const { client } = await serve({ allowIncomplete: true });
      const calls = callsOf(family, client);
      const content = noise(100_000);
      const { ca: _ca, ...pathInfo } = DUMMY_PATH_INFO;
      return [
        await calls.putBlob([content]),
        await calls.stat(B3Digest.of(content).bytes),
        await calls.read(B3Digest.of(content).bytes),
        await calls.putDirectories([DIRECTORY.empty.bytes, DIRECTORY.c.bytes]),
        await calls.getDirectory(DIRECTORY.c.digest.bytes),
        await calls.getDirectory(DIRECTORY.c.digest.bytes, true),
        await calls.putPathInfo(encodePathInfo(pathInfo)),
        await calls.getPathInfo(DUMMY_PATH.hash),
        await calls.calculateNar(encodeNode(bytes("x"), { type: "symlink", target: bytes("y") })),
        await calls.list(),
        // Mistakes too.
        await calls.stat(bytes("short")),
        await calls.putDirectories([DIRECTORY.c.bytes]),
        await calls.putPathInfo(bytes("no message")),
        await calls.calculateNar(Buffer.alloc(0)),
      ];
    };
    const [tvix, snix] = await Promise.all(FAMILIES.map(run));
    expect(tvix?.slice(0, 10).map(({ status }) => status)).toEqual(Array(10).fill("OK"));
    expect(snix).toEqual(tvix);
  });

  it("tells the health of each service, and of the whole", async () => {
    const { server, target } = await serve();
    const health = loadPackageDefinition(loadSync(protoPath, { enums: String }))[
      "grpc"
    ] as never as {
      health: { v1: { Health: ServiceClientConstructor } };
    };
    const client = new health.health.v1.Health(target, credentials.createInsecure());
    const check = (service: string): Promise<string> =>
      new Promise((resolve) =>
        client["Check"]?.(
          { service },
          (error: { code: number } | null, answer: { status: string }) =>
            resolve(error === null ? answer.status : String(error.code)),
        ),
      );
    for (const name of ["", ...FAMILIES.flatMap(serviceNames)]) {
      expect(await check(name)).toBe("SERVING");
    }
    expect(await check("tvix.castore.v1.Nothing")).toBe("5");
    const watch = client["Watch"]?.({ service: "" }) as NodeJS.EventEmitter;
    watch.on("error", () => {});
    expect((await once(watch, "data"))[0]).toEqual({ status: "SERVING" });
    const next = once(watch, "data");
    // A watcher never hangs up by itself: that must not take the whole time there is to drain.
    const startedMs = performance.now();
    await server.stop(30_000);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect((await next)[0]).toEqual({ status: "NOT_SERVING" });
    client.close();
  });

  it.each(["v1", "v1alpha"] as const)(
    "describes its services by reflection %s",
    async (version) => {
      const { target } = await serve();
      const reflection = new GrpcReflection(
        target,
        credentials.createInsecure(),
        undefined,
        version,
      );
      const services = await reflection.listServices();
      expect(services).toEqual(expect.arrayContaining(FAMILIES.flatMap(serviceNames)));
      for (const name of FAMILIES.flatMap(serviceNames)) {
        const { blobs, directories, pathInfos } = serviceDefinitions(
          name.startsWith("tvix") ? "tvix" : "snix",
        );
        const methods = (await reflection.listMethods(name)).map(
          ({ definition }) => definition.path,
        );
        const expected = [blobs, directories, pathInfos]
          .flatMap((service) => Object.values(service))
          .map(({ path }) => path)
          .filter((path) => path.startsWith(`/${name}/`));
        expect(methods.sort()).toEqual(expected.sort());
      }
    },
  );

  it("lets calls under way end when it is stopped, and takes no new ones", async () => {
    const services = memoryServices();
    const { server, client, target } = await serve({ services });
    const { blobs } = serviceDefinitions("tvix");
    const { stream, done } = client.startUpload(blobs.Put.path);
    await new Promise<void>((resolve) =>
      stream.write(encodeBlobChunk(bytes("first ")), () => resolve()),
    );
    // An answer says that the connection is up and the upload is known.
    await callsOf("tvix", client).stat(Buffer.alloc(32));
    const stopped = server.stop(20_000);
    const late = new RawClient(target);
    expect((await callsOf("tvix", late).stat(Buffer.alloc(32))).status).toBe("UNAVAILABLE");
    late.close();
    stream.write(encodeBlobChunk(bytes("second")));
    stream.end();
    expect((await done).status).toBe("OK");
    await stopped;
    expect(await services.blobs.has(B3Digest.of(bytes("first second")))).toBe(true);
  });

  it("lets a slow client have all of an answer when it is stopped", async () => {
    const services = memoryServices();
    const content = noise(900_000);
    const { digest } = await putBlob(services.blobs, content);
    const { server, target } = await serve({ services });
    const session = connectHttp2(`http://${target}`);
    const { Read } = serviceDefinitions("tvix").blobs;
    const call = startCall(session, Read.path);
    call.end(framed(Read.requestSerialize({ digest: digest.bytes })));
    await once(call, "response");
    const stopped = server.stop(20_000);
    await sleep(1000);
    let received = 0;
    call.on("data", (data: Buffer) => {
      received += data.length;
    });
    const [trailers] = await once(call, "trailers");
    expect(trailers["grpc-status"]).toBe("0");
    expect(received).toBeGreaterThan(content.length);
    await stopped;
    session.destroy();
  });

  it("cuts off what does not end in time", async () => {
    const { server, client } = await serve();
    const { blobs } = serviceDefinitions("tvix");
    const { stream, done } = client.startUpload(blobs.Put.path);
    stream.write(encodeBlobChunk(bytes("never ends")));
    await callsOf("tvix", client).stat(Buffer.alloc(32));
    await server.stop(100);
    expect(["UNAVAILABLE", "CANCELLED"]).toContain((await done).status);
  });

  it("tells of each call how it went", async () => {
    const records: { method: string; code: number }[] = [];
    const { client, services } = await serve({ onCall: (record) => records.push(record) });
    const { digest } = await putBlob(services.blobs, bytes("content"));
    const calls = callsOf("snix", client);
    expect(contentIn(await calls.read(digest.bytes))).toEqual(bytes("content"));
    await calls.read(Buffer.alloc(32));
    expect(records).toMatchObject([
      { method: "/snix.castore.v1.BlobService/Read", code: 0 },
      { method: "/snix.castore.v1.BlobService/Read", code: 5 },
    ]);
  });

  it("does not know other methods", async () => {
    const { client } = await serve();
    expect(await client.call("/tvix.castore.v1.BlobService/Delete", bytes(""))).toMatchObject({
      status: "UNIMPLEMENTED",
    });
  });
});
