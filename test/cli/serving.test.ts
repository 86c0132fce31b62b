/**
 * The daemon as an operator sets it up: who may reach it, who may call, what it tells of itself.
 */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { until } from "../fuse/support/fake-mount.js";
import { encodeBlobChunk } from "../grpc/support/blob-chunk.js";
import { Authority } from "../grpc/support/certificates.js";
import { RawClient } from "../grpc/support/raw-client.js";
import { bytes } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { addressOptions } from "../support/cli-daemon.js";
import { CliServer } from "../support/cli-server.js";
import { PYTHON } from "../support/python.js";
import { temporaryFolder } from "../support/temp.js";

const READER = "reader-token-0123456789";
const WRITER = "writer-token-0123456789";
const EVERYWHERE = "0.0.0.0:0";

const folder = temporaryFolder();
const file = (name: string) => join(folder, name);
let tlsOptions: string[];

function secret(name: string, content: string | Buffer, mode = 0o600): string {
  writeFileSync(file(name), content);
  chmodSync(file(name), mode);
  return file(name);
}

beforeAll(() => {
  const authority = new Authority("ours");
  const server = authority.certify("server");
  const client = authority.certify("client");
  writeFileSync(file("ca.pem"), authority.certificate);
  writeFileSync(file("tls-cert"), server.certificate);
  secret("tls-key", server.key);
  writeFileSync(file("client.pem"), client.certificate);
  secret("client.key", client.key);
  secret("tokens", `read reader ${READER}\nwrite writer ${WRITER}\n`);
  secret("reader", `${READER}\n`);
  secret("writer", `${WRITER}\n`);
  writeFileSync(file("tree"), "imported\n");
  tlsOptions = [`--tls-cert=${file("tls-cert")}`, `--tls-key=${file("tls-key")}`];
});

/** What a service address says beside the host. */
function as(token: "reader" | "writer", more: Record<string, string> = {}): string {
  const keys = { "token-file": file(token), "ca-file": file("ca.pem"), ...more };
  return `?${Object.entries(keys)
    .map(([key, value]) => `${key}=${value}`)
    .join("&")}`;
}

interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Waits until the answer is `right`. */
async function tells(
  place: string,
  path: string,
  right: (answer: HttpAnswer) => boolean,
): Promise<void> {
  await vi.waitUntil(async () => right(await get(place, path)), { timeout: 30_000 });
}

function get(place: string, path: string): Promise<HttpAnswer> {
  const where = place.startsWith("unix:")
    ? { socketPath: place.slice(5) }
    : { host: place.split(":")[0], port: place.split(":")[1] };
  return new Promise((resolve, reject) => {
    request({ ...where, path }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
}

describe("A server that other machines can reach", () => {
  test.each<[string, () => string[], string]>([
    ["nothing else", () => [], "TLS (--tls-cert, --tls-key) and --tokens or --tls-client-ca"],
    ["TLS only", () => tlsOptions, "that takes --tokens or --tls-client-ca"],
    ["tokens only", () => ["--tokens", file("tokens")], "that takes TLS (--tls-cert, --tls-key);"],
    [
      "tokens that would be sent unencrypted",
      () => ["--tokens", file("tokens"), "--read-only"],
      "that takes TLS",
    ],
  ])("does not start with %s", async (_title, options, why) => {
    const store = new TestStore();
    const args = ["daemon", "-l", EVERYWHERE, ...options()];
    const { status, stderr } = await store.run(args, { timeoutMs: 60_000 });
    expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(stderr).not.toContain("listening on");
  });

  test.each<[string, () => string[], string]>([
    ["for reading only", () => ["--read-only"], "other machines may read everything"],
    ["with --allow-insecure", () => ["--allow-insecure"], "WARN.*other machines may write"],
    ["with TLS and tokens", () => [...tlsOptions, "--tokens", file("tokens")], "^listening"],
    [
      "with TLS and client certificates",
      () => [...tlsOptions, "--tls-client-ca", file("ca.pem")],
      "^listening",
    ],
    ["with TLS, for reading only", () => [...tlsOptions, "--read-only"], "^listening"],
  ])("starts %s", async (_title, options, says) => {
    using server = await CliServer.start(new TestStore(), [
      "daemon",
      "-l",
      EVERYWHERE,
      ...options(),
    ]);
    expect(server.stderr).toMatch(new RegExp(says, "m"));
    expect(await server.stop()).toBe(0);
  });
});

describe("Options that do not fit together, or files that will not do", () => {
  test.each<[() => string[], number, string]>([
    [() => [`--tls-cert=${file("tls-cert")}`], 2, "--tls-cert and --tls-key go together"],
    [() => [`--tls-client-ca=${file("ca.pem")}`], 2, "--tls-client-ca needs --tls-cert"],
    [() => ["-l", "nonsense"], 2, 'Invalid listen address "nonsense"'],
    [() => ["--metrics", "nonsense"], 2, 'Invalid listen address "nonsense"'],
    [() => ["--drain-seconds=-1"], 2, "--drain-seconds must be"],
    [() => ["--tokens", file("absent")], 1, "Cannot read"],
    [() => ["--tokens", secret("open", `read a ${READER}`, 0o644)], 1, "every user may read"],
    [() => ["--tokens", secret("bad", "nonsense")], 1, "line 1: expected `read NAME TOKEN`"],
    [
      () => [`--tls-cert=${file("tls-key")}`, `--tls-key=${file("tls-key")}`],
      1,
      "Cannot use the TLS certificate and key",
    ],
  ])("end the daemon before it listens (%#)", async (options, code, why) => {
    const { status, stderr } = await new TestStore().run([
      "daemon",
      "-l",
      "127.0.0.1:0",
      ...options(),
    ]);
    expect([status, stderr]).toEqual([code, expect.stringContaining(why)]);
    expect(stderr).not.toContain("listening on");
  });
});

describe("A server with TLS and tokens", () => {
  test("takes imports from who may write, and lets readers read", async () => {
    const options = ["-l", "localhost:0", ...tlsOptions, "--tokens", file("tokens")];
    using server = await CliServer.start(new TestStore(), ["daemon", ...options]);
    const base = `grpc+https://localhost:${server.port}`;
    const here = new TestStore();
    const denied = await here.run(["import", ...addressOptions(base + as("reader")), file("tree")]);
    expect([denied.status, denied.stderr]).toEqual([
      1,
      expect.stringContaining("for reading only"),
    ]);
    const writing = addressOptions(base + as("writer"));
    const storePath = (await here.output("import", ...writing, file("tree"))).trimEnd();
    const reading = addressOptions(base + as("reader"));
    expect(await here.output("cat", ...reading, storePath)).toBe("imported\n");
    const unknown = await here.run([
      "cat",
      ...addressOptions(`${base}?ca-file=${file("ca.pem")}`),
      storePath,
    ]);
    expect([unknown.status, unknown.stderr]).toEqual([1, expect.stringContaining("needs a token")]);
    const stranger = await here.run(["cat", ...addressOptions(base), storePath]);
    expect([stranger.status, stranger.stderr]).toEqual([1, expect.stringContaining("certificate")]);
  });

  test("and client certificates asks for both", async () => {
    const options = [
      ...tlsOptions,
      `--tls-client-ca=${file("ca.pem")}`,
      "--tokens",
      file("tokens"),
    ];
    using server = await CliServer.start(new TestStore(), [
      "daemon",
      "-l",
      "localhost:0",
      ...options,
    ]);
    const base = `grpc+https://localhost:${server.port}`;
    const certificate = { "cert-file": file("client.pem"), "key-file": file("client.key") };
    const here = new TestStore();
    const full = addressOptions(base + as("writer", certificate));
    expect(await here.output("import", ...full, file("tree"))).toContain("-tree\n");
    const { status } = await here.run([
      "path-info",
      "--all",
      ...addressOptions(base + as("writer")),
    ]);
    expect(status).toBe(1);
  });

  test("takes them from systemd's credentials", async () => {
    const options = { environment: { CREDENTIALS_DIRECTORY: folder } };
    using server = await CliServer.start(new TestStore(), ["daemon", "-l", EVERYWHERE], options);
    const reading = addressOptions(`grpc+https://localhost:${server.port}${as("reader")}`);
    expect(await new TestStore().output("path-info", "--all", ...reading)).toBe("");
  });

  test("is not called with a token file that every user may read", async () => {
    const open = secret("open-token", READER, 0o644);
    const address = `grpc+https://localhost:1?token-file=${open}`;
    const { status, stderr } = await new TestStore().run([
      "ls",
      ...addressOptions(address),
      "0".repeat(32),
    ]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("every user may read")]);
  });
});

/** Opens sockets as systemd does, then becomes the program. */
const ACTIVATE = `
import os, socket, sys
tcp, path, *command = sys.argv[1:]
first = socket.socket(); first.bind((tcp, 0)); first.listen()
second = socket.socket(socket.AF_UNIX); second.bind(path); second.listen()
fds = [os.dup(each.fileno()) for each in (first, second)]
for target, fd in enumerate(fds, 3): os.dup2(fd, target)
for target in (3, 4): os.set_inheritable(target, True)
print(f"port {first.getsockname()[1]}", file=sys.stderr, flush=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(command[0], command)
`;

describe("Sockets of systemd", () => {
  const activate = (host: string, path: string) => ({
    through: [PYTHON, "-c", ACTIVATE, host, path],
  });

  test("are served in place of the default address, and stay", async () => {
    const path = join(temporaryFolder(), "socket");
    using server = await CliServer.start(
      new TestStore(),
      ["daemon"],
      activate("127.0.0.1", path),
      "unix:inherited",
    );
    const port = /^port (\d+)$/m.exec(server.stderr)?.[1];
    expect(server.places()).toEqual([`127.0.0.1:${port}`, "unix:inherited"]);
    const here = new TestStore();
    for (const address of [`grpc+http://127.0.0.1:${port}`, `grpc+unix://${path}`]) {
      const options = addressOptions(address);
      expect(await here.output("import", ...options, file("tree"))).toContain("-tree\n");
    }
    expect(await server.stop()).toBe(0);
    expect(existsSync(path)).toBe(true);
  });

  test("are refused when other machines could write to them", async () => {
    const path = join(temporaryFolder(), "socket");
    const starting = CliServer.start(new TestStore(), ["daemon"], activate("0.0.0.0", path));
    await expect(starting).rejects.toThrow(/ended with 2: .*Other machines can reach 0\.0\.0\.0/s);
  });

  test("that were meant for another process are left alone", async () => {
    const environment = { LISTEN_PID: "1", LISTEN_FDS: "1" };
    const place = `unix:${join(temporaryFolder(), "socket")}`;
    using server = await CliServer.start(new TestStore(), ["daemon", "-l", place], { environment });
    expect(server.places()).toEqual([place]);
  });
});

describe("What a daemon tells of itself", () => {
  test("are its calls, one line of JSON each at debug, without secrets", async () => {
    const place = `unix:${join(temporaryFolder(), "socket")}`;
    const options = ["--log-level=debug", "--log-format=json", "--tokens", file("tokens")];
    using server = await CliServer.start(new TestStore(), ["daemon", "-l", place, ...options]);
    const address = (token: string) =>
      addressOptions(`grpc+unix://${place.slice(5)}?token-file=${file(token)}`);
    await new TestStore().output("import", ...address("writer"), file("tree"));
    await new TestStore().run(["import", ...address("reader"), file("tree")]);
    await until(() => server.log.some(({ caller }) => caller === "reader"));
    const calls = server.log.filter(({ msg }) => msg === "call");
    expect(calls).toContainEqual({
      level: expect.anything(),
      time: expect.any(String),
      msg: "call",
      method: "/tvix.castore.v1.BlobService/Put",
      peer: "unknown",
      caller: "writer",
      status: "OK",
      durationMs: expect.any(Number),
      receivedBytes: "imported\n".length,
      sentBytes: 0,
    });
    expect(calls).toContainEqual(
      expect.objectContaining({ caller: "reader", status: "PERMISSION_DENIED" }),
    );
    for (const token of [READER, WRITER]) expect(server.stderr).not.toContain(token);
  });

  test.each([
    ["over TCP", () => "127.0.0.1:0"],
    ["on a unix socket", () => `unix:${join(temporaryFolder(), "metrics")}`],
  ])("are numbers for Prometheus and whether it is well, %s", async (_title, address) => {
    const place = `unix:${join(temporaryFolder(), "socket")}`;
    const args = ["daemon", "-l", place, "--metrics", address()];
    using server = await CliServer.start(new TestStore(), args);
    const [metrics = ""] = server.places("metrics");
    await new TestStore().output(
      "import",
      ...addressOptions(`grpc+${place.replace(":", "://")}`),
      file("tree"),
    );
    const { status, text } = await get(metrics, "/metrics");
    expect(status).toBe(200);
    const method = 'grpc_service="tvix.castore.v1.BlobService",grpc_method="Put"';
    expect(text).toContain(`grpc_server_handled_total{${method},grpc_code="OK"} 1`);
    expect(text).toContain(`grpc_server_handling_seconds_count{${method}} 1`);
    expect(text).toContain(`tvix_store_grpc_received_bytes_total{${method}} 9`);
    expect(text).toMatch(/^tvix_store_grpc_calls 0$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(await get(metrics, "/healthz")).toEqual({ status: 200, text: "ok\n" });
    expect((await get(metrics, "/")).status).toBe(404);
    expect(await server.stop()).toBe(0);
  });

  test("tell of the binary cache, too", async () => {
    const place = `unix:${join(temporaryFolder(), "socket")}`;
    const args = ["daemon", "-l", place, "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    using server = await CliServer.start(new TestStore(), args, {}, "http on");
    const [cache = ""] = server.places("http");
    const [metrics = ""] = server.places("metrics");
    const info = await get(cache, "/nix-cache-info");
    for (const hash of ["0".repeat(32), "1".repeat(32)]) await get(cache, `/${hash}.narinfo`);
    await get(cache, "/nonsense");
    await get(cache, "/%ZZ");
    const { text } = await get(metrics, "/metrics");
    const requests = (method: string, route: string, code: number) =>
      `http_server_requests_total{method="${method}",route="${route}",code="${code}"}`;
    expect(text).toContain(`${requests("GET", "cache-info", 200)} 1`);
    expect(text).toContain(`${requests("GET", "narinfo", 404)} 2`);
    expect(text).toContain(`${requests("GET", "none", 404)} 1`);
    expect(text).toContain(`${requests("GET", "none", 400)} 1`);
    expect(text).toContain(
      `tvix_store_http_sent_bytes_total{method="GET",route="cache-info"} ${info.text.length}`,
    );
    expect(text).toMatch(/^tvix_store_http_requests 0$/m);
    expect(text).toMatch(/^tvix_store_grpc_calls 0$/m);
  });

  test("while it stops: the call under way ends, new ones are refused, it is not well", async () => {
    const place = `unix:${join(temporaryFolder(), "socket")}`;
    const args = ["daemon", "-l", place, "--metrics", "127.0.0.1:0"];
    using server = await CliServer.start(new TestStore(), args);
    const [metrics = ""] = server.places("metrics");
    const client = new RawClient(place);
    const { stream, done } = client.startUpload("/tvix.castore.v1.BlobService/Put");
    stream.write(encodeBlobChunk(bytes("first ")));
    await tells(metrics, "/metrics", ({ text }) => /^tvix_store_grpc_calls 1$/m.test(text));
    server.process.kill("SIGTERM");
    await tells(metrics, "/healthz", ({ status }) => status === 503);
    const late = new RawClient(place);
    const { status } = await late.call("/tvix.castore.v1.BlobService/Stat", Buffer.alloc(0));
    expect(status).toBe("UNAVAILABLE");
    stream.write(encodeBlobChunk(bytes("second")));
    stream.end();
    expect((await done).status).toBe("OK");
    await until(() => server.hasExited);
    expect(server.process.exitCode).toBe(0);
    for (const each of [client, late]) each.close();
  });

  test("is ended by the limit for draining, or by a second signal", async () => {
    for (const [options, signals] of [
      [["--drain-seconds=1"], 1],
      [["--drain-seconds=600"], 2],
    ] as const) {
      const place = `unix:${join(temporaryFolder(), "socket")}`;
      using server = await CliServer.start(new TestStore(), [
        "daemon",
        "-l",
        place,
        ...options,
        "--metrics=127.0.0.1:0",
      ]);
      const [metrics = ""] = server.places("metrics");
      const client = new RawClient(place);
      const { stream, done } = client.startUpload("/tvix.castore.v1.BlobService/Put");
      stream.write(encodeBlobChunk(bytes("never ends")));
      await tells(metrics, "/metrics", ({ text }) => /^tvix_store_grpc_calls 1$/m.test(text));
      server.process.kill("SIGTERM");
      if (signals === 2) {
        // Signals that follow at once are taken for one.
        await tells(metrics, "/healthz", ({ status }) => status === 503);
        await new Promise((resolve) => setTimeout(resolve, 300));
        server.process.kill("SIGTERM");
      }
      expect(["UNAVAILABLE", "CANCELLED"]).toContain((await done).status);
      await until(() => server.hasExited);
      expect(server.process.exitCode).toBe(0);
      client.close();
    }
  });
});
