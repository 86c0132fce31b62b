/**
 * A web server for a binary cache in a folder, which can be told to misbehave.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";

/** Answers a request in its own way. `file` is what the server has there. */
export type Fault = (
  response: ServerResponse,
  request: IncomingMessage,
  file: Buffer | undefined,
) => void;

export class CacheServer implements Disposable {
  readonly folder: string;
  /** Paths in the order they were asked for, the first slash left out. */
  readonly requests: string[] = [];
  /** Those of them that asked for so many bytes of a file. */
  readonly parts: string[] = [];
  /** Requests that have no whole answer yet, and whose client is there. */
  answering = 0;
  /** Whether ranges are offered and served. */
  ranges = true;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #faults: { readonly path: RegExp; readonly fault: Fault; times: number }[] = [];
  #latest: { place: string; mtimeMs: number; content: Buffer } | undefined;
  bytesSent = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(folder: string): Promise<CacheServer> {
    const server = new CacheServer(folder);
    await new Promise<void>((resolve) => {
      server.#server.listen(0, "127.0.0.1", resolve);
    });
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Requests for paths that match are answered by `fault`, as often as told. */
  inject(path: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#faults.push({ path, fault, times });
  }

  /** How often paths that match were asked for. */
  count(path: RegExp): number {
    return this.requests.filter((request) => path.test(request)).length;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // The cache is at the root, and at /cache/ too, where something is above it.
    const path = decodeURIComponent((request.url ?? "").replace(/^\/+(cache\/)?|\?.*$/g, ""));
    this.requests.push(path);
    this.answering++;
    response.on("close", () => this.answering--);
    if (/^bytes=\d+-\d/.test(request.headers.range ?? "")) this.parts.push(path);
    const place = join(this.folder, path);
    const file = this.#contentOf(place);
    const injected = this.#faults.find((each) => each.times > 0 && each.path.test(path));
    if (injected !== undefined) {
      injected.times--;
      injected.fault(response, request, file);
      return;
    }
    if (file === undefined) return void response.writeHead(404).end("no such file");
    this.serve(response, request, file);
  }

  /** Read once for all the parts that are asked for. */
  #contentOf(place: string): Buffer | undefined {
    if (!existsSync(place)) return undefined;
    const { mtimeMs } = statSync(place);
    if (this.#latest?.place !== place || this.#latest.mtimeMs !== mtimeMs) {
      this.#latest = { place, mtimeMs, content: readFileSync(place) };
    }
    return this.#latest.content;
  }

  /** The file as it should be served. */
  serve(response: ServerResponse, request: IncomingMessage, file: Buffer): void {
    const [, start, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const offset = this.ranges ? Number(start ?? 0) : 0;
    const end = this.ranges && last ? Math.min(Number(last) + 1, file.length) : file.length;
    const content = file.subarray(offset, end);
    this.bytesSent += content.length;
    const headers = {
      "content-length": content.length,
      ...(this.ranges ? { "accept-ranges": "bytes" } : {}),
    };
    if (start === undefined || !this.ranges)
      return void response.writeHead(200, headers).end(content);
    const range = `bytes ${offset}-${end - 1}/${file.length}`;
    response.writeHead(206, { ...headers, "content-range": range }).end(content);
  }
}

/** Answers with a status and nothing of use. */
export function status(code: number, headers: Record<string, string> = {}): Fault {
  return (response) => void response.writeHead(code, headers).end("not what you want");
}

/** Promises the whole file, sends `bytes` of what was asked for, and cuts the connection. */
export function cutAfter(server: CacheServer, bytes: number): Fault {
  return (response, request, file) => {
    const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
    const whole = file as Buffer;
    const offset = Number(start ?? 0);
    response.writeHead(start === undefined ? 200 : 206, {
      "content-length": whole.length - offset,
      ...(server.ranges ? { "accept-ranges": "bytes" } : {}),
      ...(start && { "content-range": `bytes ${offset}-${whole.length - 1}/${whole.length}` }),
    });
    server.bytesSent += bytes;
    response.write(whole.subarray(offset, offset + bytes), () => response.destroy());
  };
}

/** Sends `bytes` of the file, and nothing more for ever. */
export function stallAfter(bytes: number): Fault {
  return (response, _request, file) => {
    const whole = file as Buffer;
    response.writeHead(200, { "content-length": whole.length });
    response.write(whole.subarray(0, bytes));
  };
}

/** Answers with other content. */
export function instead(content: Uint8Array | string, type = "application/octet-stream"): Fault {
  return (response) => void response.writeHead(200, { "content-type": type }).end(content);
}

/** Never answers. */
export const silence: Fault = () => {};
