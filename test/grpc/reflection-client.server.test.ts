/**
 * A client that knows nothing of our files: what reflection tells is all it calls by.
 */
import { basename } from "node:path";
import { Client, credentials, type MethodDefinition, status } from "@grpc/grpc-js";
import { GrpcReflection } from "grpc-js-reflection-client";
import { afterAll, describe, expect, it } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import { FAMILIES } from "../../src/grpc/definitions.js";
import { DUMMY_PATH } from "../store/support/path-info.js";
import { bytes } from "../support/bytes.js";
import { serve } from "./support/serve.js";

type Method = MethodDefinition<object, object>;

const closing: Client[] = [];
afterAll(() => {
  for (const client of closing) client.close();
});

/** Calls a method of whichever kind; its answers, or the name of its status. */
async function call(
  client: Client,
  method: Method,
  requests: object[],
): Promise<object[] | string> {
  const { path, requestSerialize: encode, responseDeserialize: decode } = method;
  return await new Promise((resolve) => {
    const answers: object[] = [];
    const over = (error: { code: number } | null, answer?: object) =>
      resolve(
        error === null ? [...answers, ...(answer ? [answer] : [])] : (status[error.code] ?? ""),
      );
    if (method.requestStream) {
      const stream = client.makeClientStreamRequest(path, encode, decode, over);
      for (const request of requests) stream.write(request);
      stream.end();
    } else if (method.responseStream) {
      const stream = client.makeServerStreamRequest(path, encode, decode, requests[0] as object);
      stream.on("data", (answer: object) => answers.push(answer));
      stream.on("error", over as never);
      stream.on("end", () => over(null));
    } else {
      client.makeUnaryRequest(path, encode, decode, requests[0] as object, over);
    }
  });
}

const content = bytes("hello");
const digest = Buffer.from(B3Digest.of(content).bytes);

describe.each(["v1", "v1alpha"] as const)("A client of reflection %s", (version) => {
  it.each(FAMILIES)("finds the services of %s and calls each of their methods", async (family) => {
    const { target } = await serve();
    const reflection = new GrpcReflection(target, credentials.createInsecure(), undefined, version);
    const client = new Client(target, credentials.createInsecure());
    closing.push(client);
    const services = (await reflection.listServices()).filter((name) => name.startsWith(family));
    const methods = new Map<string, Method>();
    for (const service of services) {
      for (const { definition } of await reflection.listMethods(service)) {
        methods.set(definition.path.replace(/^.*\./, ""), definition as unknown as Method);
      }
    }
    const results: Record<string, object[] | string> = {};
    const run = async (name: string, ...requests: object[]) => {
      results[name] = await call(client, methods.get(name) as Method, requests);
      methods.delete(name);
      return results[name] as object[];
    };
    const file = { name: bytes("hello"), digest, size: "5", executable: false };
    await run("BlobService/Put", { data: bytes("hel") }, { data: bytes("lo") });
    await run("BlobService/Stat", { digest });
    await run("BlobService/Read", { digest });
    const [put] = (await run("DirectoryService/Put", { files: [file] })) as {
      rootDigest: Buffer;
    }[];
    const directory = Object.values(put ?? {})[0] as Buffer;
    await run("DirectoryService/Get", { digest: directory, recursive: true });
    const node = { file: { ...file, name: bytes(basename(String(DUMMY_PATH))) } };
    const [nar] = await run("PathInfoService/CalculateNAR", node);
    const narinfo = nar as object;
    await run("PathInfoService/Put", { [family === "tvix" ? "node" : "entry"]: node, narinfo });
    const hash = Buffer.from(DUMMY_PATH.hash);
    await run("PathInfoService/Get", { by_output_hash: hash, byOutputHash: hash });
    await run("PathInfoService/List", {});
    expect([...methods.keys()]).toEqual([]);
    expect(results).toMatchObject({
      "BlobService/Put": [{ digest }],
      "BlobService/Stat": [{}],
      "BlobService/Read": [{ data: content }],
      "PathInfoService/Put": [{ narinfo }],
      "DirectoryService/Get": [{ files: [{ name: bytes("hello"), digest }] }],
    });
    expect(results["PathInfoService/Get"]).toEqual(results["PathInfoService/Put"]);
    expect(results["PathInfoService/List"]).toEqual(results["PathInfoService/Put"]);
  });
});
