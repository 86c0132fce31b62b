import { beforeAll, describe, expect, test } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import type { Tokens } from "../../src/http/access.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { directory, file, symlink } from "../store/support/tree.js";
import { noise } from "../support/bytes.js";
import { type AskOptions, pathCalled, ServedCache } from "./support/serve-http.js";

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
        "to-sub": symlink("sub"),
        "to-other": symlink(`${other.storePath}/x`),
        empty: file(""),
        long: file(`${"long ".repeat(20_000)}end`),
      }),
      { references: [other.storePath] },
    );
  });

  const raw = (path: string, options?: AskOptions) => {
    return cache.ask(`${tree.storePath}/${path}`, options);
  };

  test("the first page says what to put into nix.conf", async () => {
    const { status, text, headers } = await cache.ask("/", { headers: { host: "cache:80" } });
    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(text).toContain("extra-substituters = http://cache:80");
    expect(text).toContain(`extra-trusted-public-keys = ${KEY.publicKey}`);
    expect(text).toContain("nix copy --to http://cache:80");
  });

  test("the first page says what a visitor needs to know of this server", async () => {
    const tokens: Tokens = { find: () => ({ name: "anyone", right: "read" }) };
    const { services } = cache;
    const strict = await ServedCache.start({ services, allowUpload: false, tokens });
    const authorization = "Bearer anything";
    const at = async (host: string) =>
      (await strict.ask("/", { headers: { authorization, host } })).text;
    const text = await at("cache:80");
    expect(text).toContain("This server signs nothing itself");
    expect(text).toContain("machine cache login");
    expect(text).not.toContain("nix copy --to");
    expect(await at("[::1]:80")).toContain("machine [::1] login");
    expect(await at("a:b:99999")).toContain("machine a:b login");
  });

  test("store paths are listed with sizes, references and referrers", async () => {
    const { text } = await cache.ask("/browse/");
    expect(text).toContain(tree.storePath.basename);
    expect(text).toContain("2 store paths, ");
    const found = await cache.ask("/browse/?q=OTH+er");
    expect(found.text).toContain("1 of 2 store paths");
    expect(found.text).not.toContain(tree.storePath.basename);
    expect((await cache.ask(`/browse/?q=${tree.storePath}/README+t`)).text).toContain("1 of 2");
    expect((await cache.ask("/browse")).headers.location).toBe("/browse/");
  });

  test("a store path shows its entries and whom it knows", async () => {
    const { text } = await cache.ask(`/browse/${tree.storePath.basename}`);
    expect(text).toContain(`href="/browse/${tree.storePath.basename}/README"`);
    expect(text).toContain("→ <bdi>/etc/passwd</bdi>");
    expect(text).toMatch(/; with all it refers to [^<]+ in 2 store paths\./);
    expect(text).toContain(`nix copy --from http://127.0.0.1:${cache.port} ${tree.storePath}`);
    expect(text).toContain(pathCalled("other").basename);
    const other = await cache.ask(`/browse/${pathCalled("other").basename}`);
    expect(other.text).toContain(`<li><a href="/browse/${tree.storePath.basename}">`);
    expect(other.text).not.toContain("with all it refers to");
  });

  test("a closure of which something is missing has no size", async () => {
    const lonely = await cache.add("lonely", file("x"), { references: [pathCalled("gone")] });
    const { status, text } = await cache.ask(`/browse/${lonely.storePath.basename}`);
    expect([status, text]).toEqual([200, expect.stringContaining("1 reference")]);
    expect(text).not.toContain("with all it refers to");
  });

  test("a folder with many entries has several pages", async () => {
    const names = Array.from({ length: 2001 }, (_, index) => `file-${10_000 + index}`);
    const entries = Object.fromEntries(names.map((name) => [name, symlink("x")]));
    const { storePath } = await cache.add("many", directory(entries));
    const first = await cache.ask(`/browse/${storePath.basename}`);
    const second = await cache.ask(`/browse/${storePath.basename}?from=2000`);
    expect(first.text).toContain(`href="/browse/${storePath.basename}?from=2000">Next`);
    expect(first.text).not.toContain("file-12000");
    expect(second.text).toContain("file-12000");
    expect(second.text).not.toContain("file-11999");
  });

  test("a file that is text is shown, others are not", async () => {
    const at = (name: string) => cache.ask(`/browse/${tree.storePath.basename}/${name}`);
    expect((await at("README")).text).toContain("read me\n</pre>");
    expect((await at("index.html")).text).toContain("&lt;script&gt;");
    expect((await at("a.png")).text).toContain("It is not text");
    expect((await at("empty")).text).not.toContain("<pre");
    const { text } = await at("long");
    expect(text).toContain("This is its beginning");
    expect(text).not.toContain("end</pre>");
  });

  test.each(["nothing", "README/below", "away/below"])(
    "%s, which is not there, is 404 and a page",
    async (name) => {
      const { status, headers, text } = await cache.ask(
        `/browse/${tree.storePath.basename}/${name}`,
      );
      expect([status, headers["content-type"]]).toEqual([404, "text/html; charset=utf-8"]);
      expect(text).toContain(`${tree.storePath}/${name}</code> is not in this store`);
    },
  );

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

  test("a file is served in parts, and as little as is needed", async () => {
    const part = await raw("a.png", { headers: { range: "bytes=100-199" } });
    expect([part.status, part.body.equals(PICTURE.subarray(100, 200))]).toEqual([206, true]);
    const head = await raw("a.png", { method: "HEAD" });
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers["content-length"]).toBe(String(PICTURE.length));
    const { etag = "" } = head.headers;
    const same = await raw("a.png", { headers: { "if-none-match": etag } });
    expect([same.status, same.body.length]).toEqual([304, 0]);
    expect(same.headers["content-security-policy"]).toMatch(/^sandbox;/);
  });

  test("a page that has not changed is not sent again, nor without being asked", async () => {
    for (const path of ["/", "/browse/", `/browse/${tree.storePath.basename}`, "/style.css"]) {
      const { headers, body } = await cache.ask(path);
      const head = await cache.ask(path, { method: "HEAD" });
      expect([head.status, head.body.length]).toEqual([200, 0]);
      expect(head.headers["content-length"]).toBe(String(body.length));
      const again = await cache.ask(path, { headers: { "if-none-match": headers.etag ?? "" } });
      expect([again.status, again.body.length]).toEqual([304, 0]);
    }
  });

  test("every page has a policy that runs nothing, and so have style and icon", async () => {
    const page = `/browse/${tree.storePath.basename}`;
    for (const path of ["/", "/browse/", page, `${page}/nothing`, "/style.css", "/icon.svg"]) {
      const { headers } = await cache.ask(path);
      expect(headers["content-security-policy"], path).toMatch(/default-src 'none'/);
      expect(headers["content-security-policy"], path).not.toMatch(/script-src/);
      expect(headers["x-content-type-options"], path).toBe("nosniff");
    }
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
    expect(await locationOf("to-sub/to-root")).toBe(`${tree.storePath}/sub/to-root`);
    expect(await locationOf("to-other/y")).toBe(`${pathCalled("other")}/x/y`);
    const page = await cache.ask(`/browse/${tree.storePath.basename}/to-sub/style`);
    expect(page.headers.location).toBe(`/browse/${tree.storePath.basename}/sub/style`);
    expect((await raw("nothing")).status).toBe(404);
    expect((await raw("away/below")).status).toBe(404);
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
