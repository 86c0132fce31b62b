import { fingerprint } from "../narinfo/fingerprint.js";
import type { PathInfo } from "../path-info.js";
import type { SecretKey } from "./secret-key.js";

/** `pathInfo` with a signature of `key`, beside those it has; itself when it has one of that key. */
export function signPathInfo(pathInfo: PathInfo, key: SecretKey): PathInfo {
  const { signatures } = pathInfo;
  const message = fingerprint(pathInfo);
  if (signatures.some((each) => key.publicKey.verify(message, each))) return pathInfo;
  return { ...pathInfo, signatures: [...signatures, key.sign(message)] };
}
