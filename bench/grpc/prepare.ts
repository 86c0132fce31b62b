/**
 * Fills the daemon, through the front door.
 */
import { createCipheriv } from "node:crypto";
import { DIRECTORIES, MIB, noiseBytes, type Stored } from "./lines.js";
import {
  B3Digest,
  type Blobs,
  type Digest,
  type Directories,
  type Directory,
  directoryFrom,
  encodePathInfo,
  type StoreClient,
  StorePath,
} from "./store-client.js";

const SMALL_BYTES = 1024;
const OUTER = 50;
const INNER = 1000;

export async function prepare({ blobs, directories, pathInfos }: StoreClient): Promise<Stored> {
  const zeros = Buffer.alloc(noiseBytes());
  const content = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(zeros);
  const quarter = content.length / 4;
  const parts: Digest[] = [];
  for (let at = 0; at < content.length; at += quarter) {
    parts.push(await put(blobs, content.subarray(at, at + quarter)));
  }
  const large = { whole: await put(blobs, content), parts };
  const small = await put(blobs, content.subarray(0, SMALL_BYTES));
  const pathInfo = {
    storePath: StorePath.from(new Uint8Array(20), "measured"),
    node: { type: "file" as const, digest: small, size: BigInt(SMALL_BYTES), executable: false },
    references: [],
    narSize: 1n,
    narSha256: new Uint8Array(32),
    signatures: [{ name: "key-1", data: Buffer.alloc(64) }],
  };
  await pathInfos.put(pathInfo);
  const { root, leaf } = await putClosure(directories);
  return {
    content,
    large,
    small,
    smallBytes: SMALL_BYTES,
    pathInfoHash: pathInfo.storePath.hash,
    pathInfoBytes: encodePathInfo(pathInfo).length,
    root: root.digest,
    directoryBytes: leaf.bytes.length,
  };
}

async function put(blobs: Blobs, content: Buffer): Promise<Digest> {
  await using writer = await blobs.openWrite();
  for (let at = 0; at < content.length; at += MIB) {
    await writer.write(content.subarray(at, at + MIB));
  }
  return (await writer.close()).digest;
}

/** Two levels of directories below the root, no two of them alike, a file in each of the lower ones. */
async function putClosure(directories: Directories) {
  const putter = directories.startPut();
  const parent = async (children: readonly Directory[]): Promise<Directory> => {
    const directory = directoryFrom(
      children.map(({ digest, size }, index) => ({
        name: Buffer.from(`directory-${String(index).padStart(4, "0")}`),
        node: { type: "directory", digest, size },
      })),
    );
    await putter.put(directory);
    return directory;
  };
  let count = 0;
  let leaf: Directory | undefined;
  const outer: Directory[] = [];
  for (let index = 0; index < OUTER; index++) {
    const inner: Directory[] = [];
    for (; inner.length < INNER; count++) {
      const name = Buffer.from(`file-${count}`);
      const node = {
        type: "file",
        digest: B3Digest.of(name),
        size: 1n,
        executable: false,
      } as const;
      leaf = directoryFrom([{ name, node }]);
      await putter.put(leaf);
      inner.push(leaf);
    }
    outer.push(await parent(inner));
  }
  const root = await parent(outer);
  await putter.close();
  if (count + OUTER + 1 !== DIRECTORIES || leaf === undefined) throw new Error(`${count} leaves`);
  return { root, leaf };
}
