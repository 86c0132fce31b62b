/**
 * What is in a NAR, as binary caches have it beside a narinfo (`.ls`):
 *
 *   listing   := { "version": 1, "root": entry }
 *   entry     := { "type": "directory", "entries": { name: entry, … } }
 *              | { "type": "regular", "size": bytes, ["executable": true,] "narOffset": bytes }
 *              | { "type": "symlink", "target": text }
 *
 * JSON has no bytes: names and targets that are not UTF-8 appear quoted, as in messages.
 */
import { decodeUtf8, quoteBytes } from "../../base/bytes.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { Node } from "../../castore/node.js";
import {
  CLOSE,
  DIRECTORY,
  ENTRY,
  EXECUTABLE,
  framedBytes,
  LENGTH_BYTES,
  MAGIC,
  NODE,
  REGULAR,
  SYMLINK,
} from "./framing.js";
import { walkTree } from "./walk.js";

/**
 * The listing of the NAR of `node`, in pieces of text. Reads directories, one per level in memory, and no blobs.
 *
 * @throws {StoreError} as `walkTree`.
 */
export async function* listNar(
  node: Node,
  directories: Pick<DirectoryService, "get">,
  options: CallOptions = {},
): AsyncGenerator<string> {
  let position = MAGIC.bytes.length;
  let open = 0;
  let isFirst = true;
  const closeDownTo = (depth: number): string => {
    let text = "";
    for (; open > depth; open--) {
      position += CLOSE.bytes.length * (open > 1 ? 2 : 1);
      text += "}}";
    }
    return text;
  };
  yield '{"version":1,"root":';
  for await (const place of walkTree(node, directories, options)) {
    let text = closeDownTo(place.depth);
    if (text !== "") isFirst = false;
    if (place.depth > 0) {
      position += ENTRY.bytes.length + framedBytes(place.name.length) + NODE.bytes.length;
      text += `${isFirst ? "" : ","}${JSON.stringify(textOf(place.name))}:`;
    }
    isFirst = false;
    switch (place.node.type) {
      case "directory":
        position += DIRECTORY.bytes.length;
        text += '{"type":"directory","entries":{';
        open++;
        isFirst = true;
        break;
      case "symlink":
        text += `{"type":"symlink","target":${JSON.stringify(textOf(place.node.target))}}`;
        position += SYMLINK.bytes.length + framedBytes(place.node.target.length);
        break;
      case "file": {
        const { size, executable } = place.node;
        const start = position + (executable ? EXECUTABLE : REGULAR).bytes.length + LENGTH_BYTES;
        const flag = executable ? '"executable":true,' : "";
        text += `{"type":"regular","size":${size},${flag}"narOffset":${start}}`;
        position = start - LENGTH_BYTES + framedBytes(Number(size));
      }
    }
    if (place.node.type !== "directory") {
      position += CLOSE.bytes.length * (place.depth > 0 ? 2 : 1);
    }
    yield text;
  }
  yield `${closeDownTo(0)}}`;
}

function textOf(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? quoteBytes(bytes);
}
