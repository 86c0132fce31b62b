import type { MessageTypeDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeBlobChunk,
  encodeBlobChunk as encodeForGrpcJs,
  onceCopied,
} from "../../src/grpc/blob-chunk-codec.js";
import {
  FAMILIES,
  packageDefinition,
  serviceDefinitions,
  serviceNames,
} from "../../src/grpc/definitions.js";
import { noise } from "../support/bytes.js";
import { encodeBlobChunk } from "./support/blob-chunk.js";

const packages = packageDefinition();

/** What one family calls things, in the words of the other. */
const S_NAMES: readonly [RegExp, string][] = [
  [/\btvix\b/g, "snix"],
  [/\bDirectoryNode\b/g, "DirectoryEntry"],
  [/\bFileNode\b/g, "FileEntry"],
  [/\bSymlinkNode\b/g, "SymlinkEntry"],
  [/\bNode\b/g, "Entry"],
  [/"node"/g, '"entry"'],
];

function translated(text: string): string {
  return S_NAMES.reduce((result, [from, to]) => result.replace(from, to), text);
}

/** Messages and enums of a family with their fields, types and numbers. */
function shapeOf(family: string): string {
  const types = Object.entries(packages).flatMap(([name, definition]) =>
    name.startsWith(`${family}.`) && "type" in definition ? [[name, definition.type]] : [],
  );
  return JSON.stringify(Object.fromEntries(types.sort()), null, 1);
}

describe("the two families", () => {
  it("have the same messages, field by field", () => {
    const tvix = translated(shapeOf("tvix"));
    expect(tvix.length).toBeGreaterThan(1000);
    expect(JSON.parse(tvix)).toEqual(JSON.parse(shapeOf("snix")));
  });

  it("have the same methods under their own paths", () => {
    const [tvix, snix] = FAMILIES.map((family) =>
      Object.values(serviceDefinitions(family)).flatMap((service: object) =>
        Object.values(service).map(({ path, requestStream, responseStream }) => [
          path,
          requestStream,
          responseStream,
        ]),
      ),
    );
    expect(tvix).toHaveLength(9);
    expect(JSON.parse(translated(JSON.stringify(tvix)))).toEqual(snix);
    expect(tvix?.map(([path]) => path)).toEqual([
      "/tvix.castore.v1.BlobService/Stat",
      "/tvix.castore.v1.BlobService/Read",
      "/tvix.castore.v1.BlobService/Put",
      "/tvix.castore.v1.DirectoryService/Get",
      "/tvix.castore.v1.DirectoryService/Put",
      "/tvix.store.v1.PathInfoService/Get",
      "/tvix.store.v1.PathInfoService/Put",
      "/tvix.store.v1.PathInfoService/CalculateNAR",
      "/tvix.store.v1.PathInfoService/List",
    ]);
  });

  it("name their services", () => {
    for (const family of FAMILIES) {
      for (const name of serviceNames(family)) expect(packages[name]).toBeDefined();
    }
  });
});

describe("serviceDefinitions()", () => {
  it("leaves directories, path infos and nodes as the bytes they are", () => {
    const odd = Buffer.from([0xff, 0x01, 0x00]);
    const { directories, pathInfos } = serviceDefinitions("tvix");
    for (const { requestSerialize, requestDeserialize } of [
      directories.Put,
      pathInfos.Put,
      pathInfos.CalculateNAR,
    ]) {
      expect(requestSerialize(odd)).toEqual(odd);
      expect(requestDeserialize(odd)).toBe(odd);
    }
    for (const { responseSerialize, responseDeserialize } of [
      directories.Get,
      pathInfos.Get,
      pathInfos.Put,
      pathInfos.List,
    ]) {
      expect(responseSerialize(odd)).toEqual(odd);
      expect(responseDeserialize(odd)).toBe(odd);
    }
  });

  it.each(["0", "9007199254740993", "18446744073709551615"])("carries the size %s", (size) => {
    const { CalculateNAR } = serviceDefinitions("snix").pathInfos;
    const message = CalculateNAR.responseSerialize({
      nar_size: size,
      nar_sha256: Buffer.alloc(32),
    });
    expect(CalculateNAR.responseDeserialize(message).nar_size).toBe(size);
  });

  it("tells what is not set from what is empty", () => {
    const { Get } = serviceDefinitions("tvix").pathInfos;
    expect(Get.requestDeserialize(Buffer.alloc(0)).by_what).toBeUndefined();
    expect(Get.requestDeserialize(Buffer.from([0x0a, 0])).by_what).toBe("by_output_hash");
  });
});

describe("BlobChunk", () => {
  const chunk = packages["tvix.castore.v1.BlobChunk"] as MessageTypeDefinition<
    { data: Uint8Array },
    { data: Buffer }
  >;

  it.each([1, 127, 128, 16_383, 16_384, 1_048_576])("agrees with protobufjs at %d bytes", (n) => {
    const data = noise(n);
    expect(encodeBlobChunk(data).equals(chunk.serialize({ data }))).toBe(true);
    expect(data.equals(decodeBlobChunk(encodeBlobChunk(data)))).toBe(true);
  });

  it.each([1, 128, 1_048_576])("is copied behind a header, and says so, at %d bytes", (n) => {
    const data = noise(n);
    const encoded = encodeForGrpcJs(data);
    expect(encoded.length).toBe(encoded.byteLength);
    const copied = Buffer.alloc(3 + encoded.length);
    let isCopied = false;
    onceCopied(encoded, () => {
      isCopied = true;
    });
    expect(isCopied).toBe(false);
    encoded.copy(copied, 3);
    expect(isCopied).toBe(true);
    expect(encodeBlobChunk(data).equals(copied.subarray(3))).toBe(true);
  });

  it("leaves out data that is empty", () => {
    expect(encodeBlobChunk(Buffer.alloc(0))).toHaveLength(0);
    expect(decodeBlobChunk(Buffer.alloc(0))).toHaveLength(0);
  });

  it("decodes or refuses whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (message) => {
        let data: Uint8Array;
        try {
          data = decodeBlobChunk(message);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid-argument" });
          return;
        }
        expect(Buffer.from(data)).toEqual(chunk.deserialize(Buffer.from(message)).data);
      }),
    );
  });
});
