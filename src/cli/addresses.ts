/**
 * Where the three services are, as the options say it.
 */
import { isStoreError } from "../base/errors.js";
import { type Address, isRemote, parseAddress } from "./address.js";
import type { StoreArguments } from "./services.js";
import { UsageError } from "./usage-error.js";

/** The addresses of the three services. */
export interface Addresses {
  readonly blobs: Address;
  readonly directories: Address;
  readonly pathInfos: Address;
}

/** Whether path infos that are not on this machine may be had from elsewhere. */
export function hasFarPathInfos(options: StoreArguments): boolean {
  const { pathInfos } = addressesOf(options);
  return isRemote(pathInfos) || hasUpstreams(options, pathInfos);
}

/** Whether anything that is not on this machine may be had from elsewhere. */
export function hasFarServices(options: StoreArguments): boolean {
  const { blobs, directories } = addressesOf(options);
  return isRemote(blobs) || isRemote(directories) || hasFarPathInfos(options);
}

/** @throws {UsageError} for a bad one. */
export function addressesOf(options: StoreArguments): Addresses {
  const fallback: Address = { scheme: "local", folder: options.storeDir };
  const read = (text: string | undefined) => (text === undefined ? fallback : addressOf(text));
  return {
    blobs: withContent("blob", read(options.blobServiceAddr)),
    directories: withContent("directory", read(options.directoryServiceAddr)),
    pathInfos: read(options.pathInfoServiceAddr),
  };
}

function withContent(kind: string, address: Address): Address {
  if (address.scheme !== "nix") return address;
  const why = `a binary cache is for --path-info-service-addr; what it sends is kept as ${kind}s here`;
  throw new UsageError(
    `Invalid --${kind}-service-addr ${JSON.stringify(address.cache.text)}: ${why}`,
  );
}

function addressOf(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}

/** Whether binary caches stand behind path infos that are there. */
export function hasUpstreams({ substituter = [] }: StoreArguments, pathInfos: Address): boolean {
  return pathInfos.scheme === "nix" || substituter.length > 0;
}
