import { beforeAll, describe, expect, test } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { directory, file, symlink } from "../store/support/tree.js";
import { noise } from "../support/bytes.js";
import { pathCalled, ServedCache } from "./support/serve-http.js";

const KEY = SecretKey.generate("ours");
const PICTURE = noise(5000);

describe("A binary cache in a browser:", () => {
  let cache: ServedCache;
  let tree: PathInfo;

  beforeAll(async () => {
    cache = await ServedCache.start({ secretKey: KEY });
    const other = await cache.add("other", file("text"));
    tree = await cache.add(
      "tree",
      directory({
        "index.html": file("<script>alert(1)</script>"),
        README: file("read me\n"),
        "a.png": file(PICTURE),
        tool: file("\x7fELF\x00\x01", true),
        sub: directory({ "to-root": symlink("../README"), style: symlink("./x/../../a.png") }),
        away: symlink("/etc/passwd"),
        climbing: symlink("../../../../etc/passwd"),
        absolute: symlink(String(other.storePath)),
      }),
      { references: [other.storePath] },
    );
  });

  const raw = (path: string) => cache.ask(`${tree.storePath}/${path}`);

  test("the first page says what to put into nix.conf", async () => {
    const { status, text, headers } = await cache.ask("/", { headers: { host: "cache:80" } });
    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(text).toContain("extra-substituters = http://cache:80");
    expect(text).toContain(`extra-trusted-public-keys = ${KEY.publicKey}`);
  });

  test("store paths are listed with sizes, references and referrers", async () => {
    const { text } = await cache.ask("/browse/");
    expect(text).toContain(tree.storePath.basename);
    expect(text).toContain("2 of 2 store paths");
    const found = await cache.ask("/browse/?q=OTH+er");
    expect(found.text).toContain("1 of 2 store paths");
    expect(found.text).not.toContain(tree.storePath.basename);
    expect((await cache.ask("/browse")).headers.location).toBe("/browse/");
  });

  test("a store path shows its entries and whom it knows", async () => {
    const { text } = await cache.ask(`/browse/${tree.storePath.basename}`);
    expect(text).toContain(`href="/browse/${tree.storePath.basename}/README"`);
    expect(text).toContain("→ /etc/passwd");
    expect(text).toContain(pathCalled("other").basename);
    const other = await cache.ask(`/browse/${pathCalled("other").basename}`);
    expect(other.text).toContain(`<li><a href="/browse/${tree.storePath.basename}">`);
  });

  test("a file that is text is shown, others are not", async () => {
    const at = (name: string) => cache.ask(`/browse/${tree.storePath.basename}/${name}`);
    expect((await at("README")).text).toContain("<pre>read me");
    expect((await at("index.html")).text).toContain("&lt;script&gt;");
    expect((await at("a.png")).text).not.toContain("<pre>");
    expect((await at("nothing")).status).toBe(404);
    expect((await at("README/below")).status).toBe(404);
  });

  test.each([
    ["README", "text/plain; charset=utf-8"],
    ["index.html", "text/html; charset=utf-8"],
    ["a.png", "image/png"],
    ["tool", "application/octet-stream"],
  ])("%s is served as %s, and can run nothing", async (name, type) => {
    const { status, headers } = await raw(name);
    expect([status, headers["content-type"]]).toEqual([200, type]);
    expect(headers["content-security-policy"]).toMatch(/^sandbox; default-src 'none'/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test("a file is served in parts", async () => {
    const { body, status } = await cache.ask(`${tree.storePath}/a.png`, {
      headers: { range: "bytes=100-199" },
    });
    expect([status, body.equals(PICTURE.subarray(100, 200))]).toEqual([206, true]);
  });

  test("symlinks lead to where they point, but not out of the store", async () => {
    const locationOf = async (path: string) => (await raw(path)).headers.location;
    expect(await locationOf("sub/to-root")).toBe(`${tree.storePath}/README`);
    expect(await locationOf("sub/style")).toBe(`${tree.storePath}/a.png`);
    expect(await locationOf("absolute")).toBe(String(pathCalled("other")));
    for (const path of ["away", "climbing"]) {
      const { status, text } = await raw(path);
      expect([status, text]).toEqual([404, expect.stringContaining("is not in the store")]);
    }
    expect((await raw("sub")).headers.location).toBe(`/browse/${tree.storePath.basename}/sub`);
    expect((await raw("nothing")).status).toBe(404);
    expect((await cache.ask("/nix/store")).status).toBe(404);
  });

  test("a store that cannot list says so, and still shows what it is asked for", async () => {
    const { pathInfos } = cache.services;
    const silent = await ServedCache.start({
      services: {
        ...cache.services,
        pathInfos: {
          get: (hash) => pathInfos.get(hash),
          put: (pathInfo) => pathInfos.put(pathInfo),
          list: () => {
            throw new StoreError("unsupported", "no lists");
          },
        },
      },
    });
    expect((await silent.ask("/browse/")).status).toBe(404);
    expect((await silent.ask(`/browse/${tree.storePath.basename}`)).status).toBe(200);
  });
});
