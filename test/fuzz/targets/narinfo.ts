/**
 * What a narinfo from anywhere goes through: it is refused with an error of ours, or all that is done with
 * one works.
 */
import { isDeepStrictEqual } from "node:util";
import { narinfoFromPathInfo, pathInfoFromNarinfo } from "../../../src/store/narinfo/conversion.js";
import { formatNarinfo, type Narinfo } from "../../../src/store/narinfo/narinfo.js";
import { parseNarinfo } from "../../../src/store/narinfo/parse.js";
import { trustIn } from "../../../src/store/path-info-trust.js";
import { PublicKey } from "../../../src/store/signature/public-key.js";
import { CURL_NARINFO, PUBLIC_KEYS } from "../../store/support/narinfos.js";
import { DUMMY_PATH_INFO } from "../../store/support/path-info.js";

const keys = PUBLIC_KEYS.map(PublicKey.parse);

const MESSAGE_LENGTH_MAX = 2000;

/** Valid narinfos, of all kinds of lines. */
export const narinfoSeeds: readonly Buffer[] = [
  CURL_NARINFO,
  `${CURL_NARINFO}CA: fixed:r:sha256:${"0".repeat(52)}\nX-Unknown: a: b\n`,
  CURL_NARINFO.replace(/References: .*/, "References: ").replace(
    /Deriver: .*/,
    `Deriver: unknown-deriver\nCA: text:sha256:${"0".repeat(52)}`,
  ),
].map((text) => Buffer.from(text));

/** @throws {StoreError} fit for a log, of a narinfo that is refused; anything else is a mistake of ours. */
export function fuzzNarinfo(bytes: Uint8Array): void {
  let narinfo: Narinfo;
  try {
    narinfo = parseNarinfo(bytes);
  } catch (error) {
    const { message } = error as Error;
    if (message.length > MESSAGE_LENGTH_MAX || /\p{Cc}/u.test(message)) {
      throw new Error(`This message is not fit for a log: ${message}`, { cause: error });
    }
    throw error;
  }
  const again = parseNarinfo(Buffer.from(formatNarinfo(narinfo)));
  if (!isDeepStrictEqual(again, narinfo)) throw new Error("It is not read as it is written");
  trustIn(narinfo, keys);
  const pathInfo = pathInfoFromNarinfo(narinfo, DUMMY_PATH_INFO.node);
  formatNarinfo(narinfoFromPathInfo(pathInfo, narinfo));
}
