/**
 * The binary cache as users start it.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { get } from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import { NarWriter } from "../../src/store/nar/writer.js";
import { encodeNixBase32 } from "../../src/store/nixbase32.js";
import { Authority } from "../grpc/support/certificates.js";
import { narFileUrl, narinfoOf, narinfoUrl, pathCalled } from "../http/support/serve-http.js";
import { narOf } from "../store/nar/support/nar.js";
import { file } from "../store/support/tree.js";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { addressOptions } from "../support/cli-daemon.js";
import { CliServer } from "../support/cli-server.js";
import { PEAK_BYTES_MAX } from "../support/peak-memory.js";
import { temporaryFolder } from "../support/temp.js";

const PIECE = noise(1_000_000, 2);
const PIECES = 300;

const socketOption = () => ["-l", `unix:${join(temporaryFolder(), "socket")}`];

async function start(store: TestStore, ...options: string[]) {
  const args = ["daemon", ...socketOption(), "--http", "127.0.0.1:0", ...options];
  const server = await CliServer.start(store, args, {}, "http on");
  return { server, url: `http://${server.places("http")[0]}` };
}

async function put(url: string, body: string | Uint8Array): Promise<number> {
  return (await fetch(url, { method: "PUT", body })).status;
}

describe("daemon --http", () => {
  test("stores what a gRPC client reads, and serves what one writes", async () => {
    const store = new TestStore();
    const socket = join(temporaryFolder(), "socket");
    using daemon = await CliServer.start(
      store,
      ["daemon", "-l", `unix:${socket}`, "--http", "127.0.0.1:0", "--allow-upload"],
      {},
      "http on",
    );
    const url = `http://${daemon.places("http")[0]}`;
    const options = addressOptions(`grpc+unix://${socket}`);
    const nar = narOf(file("from HTTP\n"));
    expect(await put(`${url}${narFileUrl(nar)}`, nar)).toBe(200);
    expect(await put(`${url}${narinfoUrl("uploaded")}`, narinfoOf("uploaded", nar))).toBe(200);
    const client = new TestStore();
    const path = String(pathCalled("uploaded"));
    expect(await client.output("cat", ...options, path)).toBe("from HTTP\n");

    const source = join(temporaryFolder(), "imported");
    writeFileSync(source, "from gRPC\n");
    const imported = (await client.output("import", ...options, source)).trimEnd();
    expect(await (await fetch(`${url}${imported}`)).text()).toBe("from gRPC\n");
    expect(await daemon.stop()).toBe(0);
  });

  test("fetches what it lacks from a substituter, keeps it, and serves it", async () => {
    const keyFile = join(temporaryFolder(), "key");
    const behind = new TestStore();
    const publicKey = await behind.output("key", "generate", "behind-1", "--output", keyFile);
    const { server: far, url: farUrl } = await start(
      behind,
      "--allow-upload",
      `--secret-key-file=${keyFile}`,
    );
    using _far = far;
    const nar = narOf(file("from behind\n"));
    expect(await put(`${farUrl}${narFileUrl(nar)}`, nar)).toBe(200);
    expect(await put(`${farUrl}${narinfoUrl("through")}`, narinfoOf("through", nar))).toBe(200);

    const { server: near, url } = await start(
      new TestStore(),
      `--substituter=${farUrl}`,
      `--trusted-public-key=${publicKey.trimEnd()}`,
    );
    using _near = near;
    expect((await fetch(`${url}${narinfoUrl("absent")}`)).status).toBe(404);
    const narinfo = await (await fetch(`${url}${narinfoUrl("through")}`)).text();
    expect(narinfo).toContain(`StorePath: ${pathCalled("through")}`);
    expect(narinfo).toContain("Sig: behind-1:");
    expect(await far.stop()).toBe(0);
    const [, narUrl = ""] = /^URL: (.+)$/m.exec(narinfo) ?? [];
    const served = await fetch(`${url}/${narUrl}`, { headers: { "accept-encoding": "identity" } });
    expect(Buffer.from(await served.arrayBuffer()).equals(nar)).toBe(true);
    expect(await near.stop()).toBe(0);
  });

  test("takes an upload of 300 MB in less than 300 MB of memory", async () => {
    const store = new TestStore();
    const { server, url } = await start(store, "--allow-upload");
    using _server = server;
    const hash = createHash("sha256");
    for (const piece of largeNar()) hash.update(piece);
    let length = 0;
    for (const piece of largeNar()) length += piece.length;
    const name = `/nar/${encodeNixBase32(hash.digest())}.nar`;
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(
        `${url}${name}`,
        { method: "PUT", headers: { "content-length": length } },
        (response) => resolve(response.resume().statusCode ?? 0),
      ).on("error", reject);
      pipeline(Readable.from(largeNar()), sent).catch(reject);
    });
    expect(status).toBe(200);
    expect((await fetch(`${url}${name}`, { method: "HEAD" })).status).toBe(200);
    const state = readFileSync(`/proc/${server.process.pid}/status`, "utf8");
    const peakBytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(state)?.[1]) * 1024;
    console.log(`peak while taking 300 MB over HTTP: ${Math.round(peakBytes / 1e6)} MB`);
    expect(peakBytes).toBeLessThan(PEAK_BYTES_MAX);
  });

  test("keeps what was uploaded when it is killed right after", async () => {
    const store = new TestStore();
    const { server, url } = await start(store, "--allow-upload");
    const nar = narOf(file("kept\n"));
    expect(await put(`${url}${narFileUrl(nar)}`, nar)).toBe(200);
    await server.stop("SIGKILL");
    const again = await start(store, "--allow-upload");
    using _again = again.server;
    expect(await put(`${again.url}${narinfoUrl("kept")}`, narinfoOf("kept", nar))).toBe(200);
    await again.server.stop("SIGKILL");
    expect(await store.output("cat", String(pathCalled("kept")))).toBe("kept\n");
  });

  test("speaks TLS with the certificate it is given", async () => {
    const authority = new Authority("test");
    const { certificate, key } = authority.certify("server");
    const folder = temporaryFolder();
    const file = (name: string, content: Buffer) => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    const { server, url } = await start(
      new TestStore(),
      `--tls-cert=${file("cert", certificate)}`,
      `--tls-key=${file("key", key)}`,
    );
    using _server = server;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      get(
        `${url.replace("http:", "https:")}/nix-cache-info`,
        { ca: authority.certificate },
        (response) => resolve(response.resume().statusCode),
      ).on("error", reject);
    });
    expect(status).toBe(200);
    await expect(fetch(`${url}/nix-cache-info`)).rejects.toThrow();
  });

  test("does not let other machines write without knowing them", async () => {
    const run = (...options: string[]) =>
      new TestStore().run(["daemon", ...socketOption(), "--http", "0.0.0.0:0", ...options]);
    expect(await run("--allow-upload")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("Other machines can reach"),
    });
  });

  test("takes no uploads for path infos that are elsewhere", async () => {
    const outcome = await new TestStore().run([
      "daemon",
      ...socketOption(),
      "--http",
      "127.0.0.1:0",
      "--allow-upload",
      "--path-info-service-addr=memory://",
    ]);
    expect(outcome).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("path infos that are in a local store"),
    });
  });

  test("writes one line of JSON for each request when asked to", async () => {
    const { server, url } = await start(new TestStore(), "--log-level=debug", "--log-format=json");
    using _server = server;
    await fetch(`${url}/nix-cache-info?token=secret`, { headers: { "user-agent": "me" } });
    await expect
      .poll(() => server.log)
      .toContainEqual(
        expect.objectContaining({
          msg: "request",
          method: "GET",
          path: "/nix-cache-info",
          status: 200,
          agent: "me",
        }),
      );
    expect(server.stderr).not.toContain("secret");
  });
});

/** The NAR of a file of 300 MB, piece by piece. */
function* largeNar(): Generator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const writer = new NarWriter((piece) => pieces.push(piece));
  writer.startFile(BigInt(PIECE.length * PIECES), false);
  for (let index = 0; index < PIECES; index++) {
    writer.write(PIECE);
    yield* pieces.splice(0);
  }
  writer.endFile();
  writer.finish();
  yield* pieces;
}
