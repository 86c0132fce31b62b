/**
 * The messages of protos/, encoded and decoded by protobufjs: a second opinion on our own codecs, and the
 * way to write messages that ours would never produce.
 */
import { fileURLToPath } from "node:url";
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from "@grpc/proto-loader";

const definition: PackageDefinition = loadSync(
  ["tvix/castore/protos/castore.proto", "tvix/store/protos/pathinfo.proto"],
  {
    includeDirs: [fileURLToPath(new URL("../../protos", import.meta.url))],
    keepCase: true,
    longs: String,
    enums: String,
  },
);

export type Fields = Record<string, unknown>;

export function messageType(name: string): MessageTypeDefinition<object, object> {
  const found = definition[name];
  if (found === undefined || !("serialize" in found)) throw new Error(`no message ${name}`);
  return found as MessageTypeDefinition<object, object>;
}

const directory = messageType("tvix.castore.v1.Directory");
const node = messageType("tvix.castore.v1.Node");
const pathInfo = messageType("tvix.store.v1.PathInfo");

export const serializeDirectory = (fields: Fields): Buffer => directory.serialize(fields);
export const serializeNode = (fields: Fields): Buffer => node.serialize(fields);
export const serializePathInfo = (fields: Fields): Buffer => pathInfo.serialize(fields);
