/**
 * The messages behind a path info, `store.v1`, field by field:
 *
 *   PathInfo  { 1 node castore.v1.Node · repeated 2 references bytes · 3 narinfo NARInfo }
 *   NARInfo   { 1 nar_size u64 · 2 nar_sha256 bytes · repeated 3 signatures Signature
 *               · repeated 4 reference_names string · 5 deriver StorePath · 6 ca CA }
 *   Signature { 1 name string · 2 data bytes }
 *   StorePath { 1 name string · 2 digest bytes }
 *   CA        { 1 type enum · 2 digest bytes }
 */
import { decodeUtf8, quoteBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import { WireReader } from "../base/protobuf.js";

/** What was sent, before any rule is applied; the fields of NARInfo lie beside those of PathInfo. */
export interface PathInfoMessage {
  /** A Node message. */
  node: Uint8Array | undefined;
  readonly references: Uint8Array[];
  hasNarInfo: boolean;
  narSize: bigint;
  narSha256: Uint8Array;
  readonly signatures: { name: string; data: Uint8Array }[];
  readonly referenceNames: string[];
  deriver: { name: string; digest: Uint8Array } | undefined;
  ca: { type: bigint; digest: Uint8Array } | undefined;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Takes a PathInfo message apart. All bytes lie on `bytes`; unknown fields are dropped.
 *
 * @throws {StoreError} `invalid-argument` when it does not decode.
 */
export function readPathInfoMessage(bytes: Uint8Array): PathInfoMessage {
  const message: PathInfoMessage = {
    node: undefined,
    references: [],
    hasNarInfo: false,
    narSize: 0n,
    narSha256: NO_BYTES,
    signatures: [],
    referenceNames: [],
    deriver: undefined,
    ca: undefined,
  };
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) message.node = reader.content();
    else if (reader.field === 2) message.references.push(reader.content());
    else if (reader.field === 3) readNarInfo(reader.content(), message);
    else reader.skip();
  }
  return message;
}

function readNarInfo(bytes: Uint8Array, message: PathInfoMessage): void {
  message.hasNarInfo = true;
  const reader = new WireReader(bytes);
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        message.narSize = reader.uint();
        break;
      case 2:
        message.narSha256 = reader.content();
        break;
      case 3: {
        const { name, bytes: data } = readNamed(reader.content(), "signature");
        message.signatures.push({ name, data });
        break;
      }
      case 4:
        message.referenceNames.push(readString(reader.content(), "reference name"));
        break;
      case 5: {
        const { name, bytes: digest } = readNamed(reader.content(), "deriver");
        message.deriver = { name, digest };
        break;
      }
      case 6:
        message.ca = readCa(reader.content());
        break;
      default:
        reader.skip();
    }
  }
}

/** Signature and StorePath share a shape: a name, and bytes. */
function readNamed(message: Uint8Array, what: string): { name: string; bytes: Uint8Array } {
  const reader = new WireReader(message);
  let name = "";
  let bytes = NO_BYTES;
  while (reader.next()) {
    if (reader.field === 1) name = readString(reader.content(), `name of the ${what}`);
    else if (reader.field === 2) bytes = reader.content();
    else reader.skip();
  }
  return { name, bytes };
}

function readCa(message: Uint8Array): { type: bigint; digest: Uint8Array } {
  const reader = new WireReader(message);
  let type = 0n;
  let digest = NO_BYTES;
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint();
    else if (reader.field === 2) digest = reader.content();
    else reader.skip();
  }
  return { type, digest };
}

function readString(bytes: Uint8Array, what: string): string {
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new StoreError("invalid-argument", `${what} ${quoteBytes(bytes)} is not UTF-8`);
  }
  return text;
}
