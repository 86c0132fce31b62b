/**
 * Signatures as text: `name ":" base64`, the base64 of 64 bytes, as on the `Sig` lines of a narinfo.
 */
import { decodeBase64, toBase64 } from "../../base/bytes.js";
import { SIGNATURE_BYTES, type Signature } from "../path-info.js";
import { isKeyName } from "./key-name.js";

export function formatSignature({ name, data }: Signature): string {
  return `${name}:${toBase64(data)}`;
}

/** The signature behind `text`; `undefined` when that is none. Whether it holds is not checked. */
export function readSignature(text: string): Signature | undefined {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(colon, 0));
  const data = decodeBase64(text.slice(colon + 1));
  return isKeyName(name) && data?.length === SIGNATURE_BYTES ? { name, data } : undefined;
}
