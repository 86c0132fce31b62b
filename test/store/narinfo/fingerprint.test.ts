import { describe, expect, it } from "vitest";
import { fingerprint } from "../../../src/store/narinfo/fingerprint.js";
import { parseNarinfo } from "../../../src/store/narinfo/parse.js";
import { CURL_FINGERPRINT, CURL_NARINFO } from "../support/narinfos.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "../support/path-info.js";

const curl = parseNarinfo(Buffer.from(CURL_NARINFO));

describe("fingerprint()", () => {
  it("is what Nix signs", () => {
    expect(fingerprint(curl).toString()).toBe(CURL_FINGERPRINT);
  });

  it("does not depend on the order of references, nor on repeated ones", () => {
    const references = [...curl.references, ...curl.references].reverse();
    expect(fingerprint({ ...curl, references }).toString()).toBe(CURL_FINGERPRINT);
  });

  it("has a reference to itself, and nothing where there are none", () => {
    const start = `1;${DUMMY_PATH};sha256:${"0".repeat(52)};0;`;
    expect(fingerprint(DUMMY_PATH_INFO).toString()).toBe(`${start}${DUMMY_PATH}`);
    expect(fingerprint({ ...DUMMY_PATH_INFO, references: [] }).toString()).toBe(start);
  });
});
