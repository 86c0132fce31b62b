/**
 * A server in this process, for one test file or one test.
 */
import { join } from "node:path";
import { afterAll } from "vitest";
import { MemoryBlobService } from "../../../src/castore/blob/memory.js";
import { MemoryDirectoryService } from "../../../src/castore/directory/memory.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { parseListenAddress } from "../../../src/grpc/listen-address.js";
import type { StoreServices } from "../../../src/grpc/path-info-server.js";
import { GrpcServer, type GrpcServerOptions } from "../../../src/grpc/server.js";
import { LocalPathInfoService } from "../../../src/store/path-info/local.js";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import { temporaryFolder } from "../../support/temp.js";
import { RawClient } from "./raw-client.js";

export interface Served {
  readonly server: GrpcServer;
  readonly services: StoreServices;
  /** What a client of grpc-js connects to. */
  readonly target: string;
  readonly client: RawClient;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

/** A log that keeps what it is told. */
export function recordingLog(): GrpcServerOptions["log"] & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export function memoryServices(): StoreServices {
  return {
    blobs: new MemoryBlobService(),
    directories: new MemoryDirectoryService(),
    pathInfos: new MemoryPathInfoService(),
  };
}

/** The services of a local store, closed when the test file is done. */
export async function localServices(
  folder = join(temporaryFolder(), "store"),
): Promise<StoreServices & { readonly store: LocalStore }> {
  const store = await LocalStore.open(folder);
  afterAll(() => store.close());
  const { blobs, directories } = store;
  return { store, blobs, directories, pathInfos: new LocalPathInfoService(store.index) };
}

/** Serves on a free port of 127.0.0.1, or on `address`, until the test file is done. */
export async function serve(
  options: Partial<GrpcServerOptions> = {},
  address = "127.0.0.1:0",
): Promise<Served> {
  const services = options.services ?? memoryServices();
  const server = new GrpcServer({ log: recordingLog(), ...options, services });
  const [target = ""] = await server.listen(parseListenAddress(address));
  const client = new RawClient(target);
  afterAll(async () => {
    client.close();
    await server.stop(0);
  });
  return { server, services, target, client };
}
