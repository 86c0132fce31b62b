/**
 * A binary cache in this process, on a store of its own, for one test file or one test.
 */
import { createHash } from "node:crypto";
import { type IncomingHttpHeaders, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll } from "vitest";
import { LocalStore } from "../../../src/castore/local/store.js";
import { LocalUploadRecords } from "../../../src/http/local-upload-records.js";
import {
  HttpServer,
  type HttpServerOptions,
  type RequestRecord,
} from "../../../src/http/server.js";
import type { CacheServices } from "../../../src/http/services.js";
import { LocalNarRecords } from "../../../src/store/nar/local-records.js";
import { formatNarinfo, type Narinfo } from "../../../src/store/narinfo/narinfo.js";
import { encodeNixBase32 } from "../../../src/store/nixbase32.js";
import { LocalPathInfoService } from "../../../src/store/path-info/local.js";
import type { PathInfo } from "../../../src/store/path-info.js";
import { StorePath } from "../../../src/store/store-path.js";
import { recordingLog } from "../../grpc/support/serve.js";
import { narOf } from "../../store/nar/support/nar.js";
import { storeTree, type Tree } from "../../store/support/tree.js";
import { temporaryFolder } from "../../support/temp.js";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array | string;
}

export class ServedCache {
  readonly folder: string;
  readonly services: CacheServices & Required<Pick<CacheServices, "nars">>;
  readonly port: number;
  readonly server: HttpServer;
  readonly requests: RequestRecord[];
  readonly log: ReturnType<typeof recordingLog>;

  private constructor(
    parts: Pick<ServedCache, "folder" | "services" | "port" | "server" | "requests" | "log">,
  ) {
    this.folder = parts.folder;
    this.services = parts.services;
    this.port = parts.port;
    this.server = parts.server;
    this.requests = parts.requests;
    this.log = parts.log;
  }

  /** Serves a store in `folder`, a new one unless told, until the test file is done. */
  static async start(
    options: Partial<HttpServerOptions> = {},
    folder = join(temporaryFolder(), "store"),
  ): Promise<ServedCache> {
    const store = await LocalStore.open(folder);
    const { blobs, directories, index } = store;
    const services = {
      blobs,
      directories,
      pathInfos: new LocalPathInfoService(index),
      nars: new LocalNarRecords(index),
    };
    const requests: RequestRecord[] = [];
    const log = recordingLog();
    const server = new HttpServer({
      services,
      uploads: new LocalUploadRecords(index),
      log,
      allowUpload: true,
      onRequest: (record) => void requests.push(record),
      ...options,
    });
    const listener = createServer((socket) => server.accept(socket));
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    afterAll(async () => {
      listener.close();
      await server.stop(0);
      await store.close();
    });
    const { port } = listener.address() as AddressInfo;
    return new ServedCache({ folder, services, port, server, requests, log });
  }

  /** Asks for `path` as it is written. */
  ask(path: string, { method = "GET", headers = {}, body }: AskOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
      const sent = request(
        {
          port: this.port,
          host: "127.0.0.1",
          path,
          method,
          headers: { ...length, ...headers },
          agent: false,
        },
        (response) => {
          const pieces: Buffer[] = [];
          response.on("data", (piece: Buffer) => pieces.push(piece));
          response.on("error", reject);
          response.on("end", () => {
            const whole = Buffer.concat(pieces);
            const { statusCode: status = 0, headers: received } = response;
            resolve({ status, headers: received, body: whole, text: whole.toString() });
          });
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  put(path: string, body: Uint8Array | string, headers: AskOptions["headers"] = {}) {
    return this.ask(path, { method: "PUT", body, headers });
  }

  /** Stores `tree` as a path of that name, behind the back of the server. */
  async add(name: string, tree: Tree, more: Partial<PathInfo> = {}): Promise<PathInfo> {
    const nar = narOf(tree);
    return await this.services.pathInfos.put({
      storePath: pathCalled(name),
      node: await storeTree(tree, this.services),
      references: [],
      narSize: BigInt(nar.length),
      narSha256: sha256(nar),
      signatures: [],
      ...more,
    });
  }
}

/** Some store path of that name. */
export function pathCalled(name: string): StorePath {
  return StorePath.from(createHash("sha1").update(name).digest(), name);
}

export function hashPart({ storePath }: Pick<PathInfo, "storePath">): string {
  return storePath.basename.slice(0, 32);
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** Where Nix uploads a NAR that it sends as `file`. */
export function narFileUrl(file: Uint8Array, suffix = ""): string {
  return `/nar/${encodeNixBase32(sha256(file))}.nar${suffix}`;
}

/** The narinfo of a path called `name` whose NAR is `nar`, uncompressed. */
export function narinfoOf(name: string, nar: Uint8Array, more: Partial<Narinfo> = {}): string {
  return formatNarinfo({
    storePath: pathCalled(name),
    url: narFileUrl(nar).slice(1),
    compression: "none",
    narSha256: sha256(nar),
    narSize: BigInt(nar.length),
    references: [],
    signatures: [],
    ...more,
  });
}

export function narinfoUrl(name: string): string {
  return `/${pathCalled(name).basename.slice(0, 32)}.narinfo`;
}
