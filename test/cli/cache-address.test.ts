import { describe, expect, test } from "vitest";
import { parseAddress } from "../../src/cli/address.js";
import { parseCacheAddress } from "../../src/cli/cache-address.js";
import { TEST_PUBLIC_KEY } from "../store/support/narinfos.js";

describe("parseCacheAddress()", () => {
  test.each([
    ["https://cache.example", "https://cache.example/"],
    ["nix+https://cache.example:8443/a/b", "https://cache.example:8443/a/b"],
    ["http://[::1]:80/x?priority=3", "http://[::1]/x"],
  ])("reads %s", (text, href) => {
    expect(parseCacheAddress(text).place).toMatchObject({ type: "http", base: { href } });
  });

  test("reads folders", () => {
    expect(parseCacheAddress("file:///a%20b/c").place).toEqual({
      type: "folder",
      folder: "/a b/c",
    });
    expect(parseCacheAddress("nix+file:///a").place).toEqual({ type: "folder", folder: "/a" });
  });

  test("reads a query, in which a plus sign is one", () => {
    const key = TEST_PUBLIC_KEY;
    const address = parseCacheAddress(
      `https://c.example/?trusted-public-keys=${key}%20${key}&priority=7&allow-foreign-urls=true`,
    );
    expect(address.trustedPublicKeys.map(String)).toEqual([key, key]);
    expect(address).toMatchObject({ priority: 7, foreignUrls: true, text: "https://c.example/" });
  });

  test.each([
    ["cache", /not a URL; use https/],
    ["ftp://c", /unknown scheme; known are http, https and file/],
    ["https://user:hunter2@c.example", /--netrc-file/],
    ["file://host/x", /three slashes/],
    ["file:///", /must name a folder/],
    ["file:///%00", /no text/],
    ["https://c/#x", /follow a #/],
    [
      "https://c/?colour=red",
      /unknown query key "colour"; known are trusted-public-keys, priority/,
    ],
    ["https://c/?priority=1&priority=2", /priority twice/],
    ["https://c/?priority=low", /a number from 0/],
    ["https://c/?allow-foreign-urls=maybe", /true or false/],
    ["https://c/?trusted-public-keys=x", /Invalid public key/],
  ])("refuses %s", (text, message) => {
    expect(() => parseCacheAddress(text)).toThrow(message);
    expect(() => parseCacheAddress(text)).not.toThrow(/hunter2/);
  });
});

test("parseAddress() takes caches in the form with nix+ only", () => {
  expect(parseAddress("nix+file:///a")).toMatchObject({ scheme: "nix" });
  expect(() => parseAddress("https://c.example")).toThrow(/unknown scheme/);
});
