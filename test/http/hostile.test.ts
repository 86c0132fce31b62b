/**
 * Requests by people who mean harm, or by machines that are out of order.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Tokens } from "../../src/http/access.js";
import { narOf } from "../store/nar/support/nar.js";
import { directory, file, symlink } from "../store/support/tree.js";
import { noise } from "../support/bytes.js";
import { temporaryFolder } from "../support/temp.js";
import { Gate, WatchedPathInfoService } from "../support/watched-services.js";
import { hashPart, narFileUrl, narinfoOf, narinfoUrl, ServedCache } from "./support/serve-http.js";

const NAR = narOf(file("content"));

/** A conversation on a connection of its own, as it is written. */
class Conversation {
  readonly socket: Socket;
  received = "";
  readonly #closed: Promise<unknown>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (piece) => {
      this.received += piece.toString("latin1");
    });
    // A server that closes while we still write resets the connection.
    socket.on("error", () => {});
    this.#closed = once(socket, "close");
  }

  static async open(cache: ServedCache): Promise<Conversation> {
    const socket = connect(cache.port, "127.0.0.1");
    await once(socket, "connect");
    return new Conversation(socket);
  }

  send(...lines: string[]): void {
    this.socket.write(lines.join("\r\n"));
  }

  /** What has come when \`text\` has. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) await once(this.socket, "data");
    return this.received;
  }

  /** All that has come when the server has closed. */
  async end(): Promise<string> {
    await this.#closed;
    return this.received;
  }
}

describe("A binary cache under attack:", () => {
  let cache: ServedCache;

  beforeAll(async () => {
    cache = await ServedCache.start({ bodyStallMs: 200 });
  });

  test.each([
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/browse/../../etc/passwd",
    "/nix/store/..%2f..%2fetc%2fpasswd",
    "/nix/store/../../etc/passwd",
    "/log/../../etc/passwd",
    "/nar/..%00.nar",
  ])("%s leads nowhere", async (path) => {
    const { status, text } = await cache.ask(path);
    expect(status).toBe(400);
    expect(text).not.toContain("root:");
    expect((await cache.put(path, "x")).status).toBe(400);
  });

  test("ten thousand headers are 431, and so is one endless header", async () => {
    const headers = Array.from({ length: 10_000 }, (_, index) => `h${index}: x`);
    for (const sent of [headers, [`x: ${"y".repeat(100_000)}`]]) {
      const conversation = await Conversation.open(cache);
      conversation.send("GET / HTTP/1.1", "Host: x", ...sent, "", "");
      expect(await conversation.end()).toMatch(/^HTTP\/1\.1 431 /);
    }
  });

  test("what is no HTTP is 400", async () => {
    const conversation = await Conversation.open(cache);
    conversation.send("SSH-2.0-OpenSSH", "", "");
    expect(await conversation.end()).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a body that announces two lengths is 400", async () => {
    const conversation = await Conversation.open(cache);
    conversation.send(
      `PUT ${narFileUrl(NAR)} HTTP/1.1`,
      "Host: x",
      "Content-Length: 5",
      "Transfer-Encoding: chunked",
      "",
      "",
    );
    expect(await conversation.end()).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a body that never comes is given up with 400, not 408", async () => {
    const conversation = await Conversation.open(cache);
    conversation.send(`PUT ${narFileUrl(NAR)} HTTP/1.1`, "Host: x", "Content-Length: 500", "", "");
    const answer = await conversation.end();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain("The body does not come: 0 bytes so far");
  });

  test("a body that trickles is given up as well", async () => {
    const conversation = await Conversation.open(cache);
    conversation.send(`PUT ${narFileUrl(NAR)} HTTP/1.1`, "Host: x", "Content-Length: 500", "", "");
    const timer = setInterval(() => conversation.send("x"), 20);
    const answer = await conversation.end().finally(() => clearInterval(timer));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a body longer than announced ends the connection with 400", async () => {
    const conversation = await Conversation.open(cache);
    conversation.send(
      `PUT ${narFileUrl(NAR)} HTTP/1.1`,
      "Host: x",
      `Content-Length: ${NAR.length}`,
      "",
      "",
    );
    conversation.socket.write(Buffer.concat([NAR, Buffer.from("more of it\r\n\r\n")]));
    expect(await conversation.end()).toMatch(/HTTP\/1\.1 400 Bad Request/);
    expect((await cache.ask("/nix-cache-info")).status).toBe(200);
  });

  test("a client that leaves in the middle of a body leaves nothing behind", async () => {
    const nar = narOf(file(noise(500_000, 9)));
    const url = narFileUrl(nar);
    const conversation = await Conversation.open(cache);
    conversation.send(`PUT ${url} HTTP/1.1`, "Host: x", `Content-Length: ${nar.length}`, "", "");
    conversation.socket.write(nar.subarray(0, 400_000));
    await expect.poll(() => cache.server.load.requests).toBe(1);
    conversation.socket.destroy();
    await expect.poll(() => cache.requests.some(({ path }) => path === url)).toBe(true);
    expect((await cache.ask(url, { method: "HEAD" })).status).toBe(404);
    await expect.poll(() => cache.server.load.requests).toBe(0);
  });

  test("100-continue is answered before anything else", async () => {
    const conversation = await Conversation.open(cache);
    conversation.send(
      `PUT ${narFileUrl(NAR)} HTTP/1.1`,
      "Host: x",
      `Content-Length: ${NAR.length}`,
      "Expect: 100-continue",
      "",
      "",
    );
    expect(await conversation.until("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    conversation.socket.write(NAR);
    expect(await conversation.until("Stored")).toContain("HTTP/1.1 200 OK");
    conversation.socket.destroy();
  });

  test("the answer to a body that is refused arrives though the body is still being sent", async () => {
    const { status } = await cache.put("/log/x", noise(3_000_000));
    expect(status).toBe(405);
    const wrong = await cache.put(narFileUrl(NAR), noise(3_000_000));
    expect([wrong.status, wrong.headers.connection]).toEqual([400, "close"]);
  });

  test("names with markup are shown escaped, in text and in links", async () => {
    const name = `<img src=x onerror="alert('1')">&amp;`;
    const tree = directory({ [name]: directory({ [name]: file(`${name}\n`) }), l: symlink(name) });
    const { storePath } = await cache.add("markup", tree);
    const quoted = encodeURIComponent(name).replaceAll("'", "%27");
    const pages = [
      `/browse/${storePath.basename}`,
      `/browse/${storePath.basename}/${quoted}`,
      `/browse/${storePath.basename}/${quoted}/${quoted}`,
      `/browse/${storePath.basename}/l`,
      `/browse/?q=${quoted}`,
    ];
    for (const path of pages) {
      const { status, text, headers } = await cache.ask(path);
      expect(status).toBe(200);
      expect(text).toContain("&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;");
      expect(text).not.toContain("<img");
      expect(headers["content-security-policy"]).toContain("default-src 'none'");
    }
    const host = { host: 'x"><script>' };
    expect((await cache.ask("/", { headers: host })).text).not.toContain("<script>");
  });
});

describe("Who may what:", () => {
  const READER = "reader-0123456789";
  const WRITER = "writer-0123456789";
  const tokens: Tokens = {
    find: (token) => {
      if (token === READER) return { name: "reader", right: "read" };
      return token === WRITER ? { name: "writer", right: "write" } : undefined;
    },
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const basic = (token: string) => ({
    authorization: `Basic ${Buffer.from(`anyone:${token}`).toString("base64")}`,
  });
  const upload = (cache: ServedCache, headers = {}) => cache.put(narFileUrl(NAR), NAR, headers);

  test("nobody uploads to a server that takes no uploads", async () => {
    const cache = await ServedCache.start({ allowUpload: false });
    for (const path of [narFileUrl(NAR), narinfoUrl("x"), `/log/${"0".repeat(32)}-x.drv`]) {
      const { status, text } = await cache.put(path, NAR);
      expect([status, text]).toEqual([403, expect.stringContaining("--allow-upload")]);
    }
    expect((await cache.ask("/nix-cache-info")).status).toBe(200);
  });

  test("tokens are asked for, as a password or as a bearer", async () => {
    const cache = await ServedCache.start({ tokens });
    for (const headers of [{}, bearer("unknown"), basic("unknown"), { authorization: "Basic !" }]) {
      for (const answer of [
        await cache.ask("/nix-cache-info", { headers }),
        await upload(cache, headers),
      ]) {
        expect(answer.status).toBe(401);
        expect(answer.headers["www-authenticate"]).toContain("Basic");
      }
    }
    for (const as of [bearer, basic]) {
      const { status, headers } = await cache.ask("/nix-cache-info", { headers: as(READER) });
      expect([status, headers["cache-control"]]).toEqual([200, "private, max-age=60"]);
      expect((await upload(cache, as(READER))).status).toBe(403);
      expect((await upload(cache, as(WRITER))).status).toBe(200);
    }
    const text = narinfoOf("x", NAR);
    expect((await cache.put(narinfoUrl("x"), text, bearer(WRITER))).status).toBe(200);
    expect(cache.requests.at(-1)).toMatchObject({ caller: "writer", status: 200 });
    expect(JSON.stringify(cache.requests)).not.toContain(WRITER);
  });

  test("a refusal comes instead of 100-continue", async () => {
    const cache = await ServedCache.start({ tokens });
    const conversation = await Conversation.open(cache);
    conversation.send(
      `PUT ${narFileUrl(NAR)} HTTP/1.1`,
      "Host: x",
      `Content-Length: ${NAR.length}`,
      "Expect: 100-continue",
      "",
      "",
    );
    expect(await conversation.end()).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("web pages upload nothing without a token", async () => {
    const cache = await ServedCache.start();
    expect((await upload(cache, { origin: "http://evil.example" })).status).toBe(403);
    expect((await upload(cache)).status).toBe(200);
  });

  test("tokens that change count from the next request on", async () => {
    const cache = await ServedCache.start({ tokens });
    cache.server.tokens = { find: () => undefined };
    expect((await cache.ask("/nix-cache-info", { headers: bearer(READER) })).status).toBe(401);
  });
});

describe("A client that waits", () => {
  test("is not taken for one that is gone, however long we take", async () => {
    const gate = new Gate("get");
    const { services } = await ServedCache.start();
    const pathInfos = new WatchedPathInfoService(services.pathInfos, gate.hook);
    const cache = await ServedCache.start({ services: { ...services, pathInfos }, idleMs: 200 });
    const answer = cache.ask(narinfoUrl("none"));
    await sleep(800);
    gate.open();
    expect((await answer).status).toBe(404);
  });

  test("is given up when it does not take what it asked for", async () => {
    const cache = await ServedCache.start({ idleMs: 200 });
    const large = await cache.add("large", file(noise(20_000_000)));
    const conversation = await Conversation.open(cache);
    conversation.socket.pause();
    const { text } = await cache.ask(`/${hashPart(large)}.narinfo`);
    const url = /^URL: (.*)$/m.exec(text)?.[1];
    conversation.send(`GET /${url} HTTP/1.1`, "Host: x", "", "");
    await expect.poll(() => cache.server.load.requests).toBe(1);
    await expect.poll(() => cache.server.load, { timeout: 20_000 }).toMatchObject({ requests: 0 });
    conversation.socket.destroy();
  });
});

describe("A server that stops", () => {
  test("lets a slow client have the end of what it asked for", async () => {
    const cache = await ServedCache.start();
    const entries = Array.from({ length: 4000 }, (_, index) => [
      `${index}-${"n".repeat(200)}`,
      file(""),
    ]);
    const { storePath } = await cache.add("folder", directory(Object.fromEntries(entries)));
    const path = `/browse/${storePath.basename}/`;
    const whole = (await cache.ask(path)).body.length;
    expect(whole).toBeGreaterThan(1_000_000);
    // Sockets of this kind hold some hundred kilobytes, however fast the machine.
    const place = join(temporaryFolder(), "socket");
    const listener = createServer((socket) => cache.server.accept(socket)).listen(place);
    await once(listener, "listening");
    const socket = connect(place);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    socket.pause();
    await expect.poll(() => cache.server.load.requests).toBe(1);
    await sleep(500);
    const stopped = cache.server.stop(30_000);
    await sleep(300);
    let received = 0;
    socket.on("data", (piece) => {
      received += piece.length;
    });
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "close");
    expect(received).toBeGreaterThan(whole);
    await stopped;
    listener.close();
  });

  test("lets requests under way end, and closes their connections", async () => {
    const cache = await ServedCache.start();
    const conversation = await Conversation.open(cache);
    conversation.send(
      `PUT ${narFileUrl(NAR)} HTTP/1.1`,
      "Host: x",
      `Content-Length: ${NAR.length}`,
    );
    conversation.send("", "", "");
    await expect.poll(() => cache.server.load.requests).toBe(1);
    const stopped = cache.server.stop(30_000);
    conversation.socket.write(NAR);
    await stopped;
    expect(await conversation.end()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("cuts off what takes longer", async () => {
    const cache = await ServedCache.start();
    const conversation = await Conversation.open(cache);
    conversation.send(`PUT ${narFileUrl(NAR)} HTTP/1.1`, "Host: x", "Content-Length: 9", "", "");
    await expect.poll(() => cache.server.load.requests).toBe(1);
    await cache.server.stop(10);
    expect(await conversation.end()).toBe("");
  });
});
