import { describe, expect, it } from "vitest";
import { parseAddress, redact } from "../../src/cli/address.js";

const grpc = (target: string) => ({ scheme: "grpc", target, tls: false, files: {} });

describe("parseAddress()", () => {
  it.each([
    ["local:///var/lib/store", { scheme: "local", folder: "/var/lib/store" }],
    ["local:///with%20space/and%23hash", { scheme: "local", folder: "/with space/and#hash" }],
    ["local:///gr%C3%B6%C3%9Fe/größe", { scheme: "local", folder: "/größe/größe" }],
    ["memory://", { scheme: "memory" }],
    ["memory:", { scheme: "memory" }],
    ["grpc+http://localhost:8000", grpc("dns:localhost:8000")],
    ["grpc+http://[::1]:8000", grpc("dns:[::1]:8000")],
    ["grpc+http://store.example.org", grpc("dns:store.example.org:80")],
    ["grpc+https://store.example.org", { ...grpc("dns:store.example.org:443"), tls: true }],
    ["grpc+unix:///run/with%20space", grpc("unix:/run/with space")],
  ])("reads %s", (text, address) => {
    const expected = address.scheme === "grpc" ? { ...address, text } : address;
    expect(parseAddress(text)).toEqual(expected);
  });

  it("reads the files that a server is shown and checked by", () => {
    const text = "grpc+https://host:1?token-file=/t%20o&ca-file=a=b&cert-file=c&key-file=k";
    expect(parseAddress(text)).toEqual({
      scheme: "grpc",
      text: "grpc+https://host:1",
      target: "dns:host:1",
      tls: true,
      files: { "token-file": "/t o", "ca-file": "a=b", "cert-file": "c", "key-file": "k" },
    });
    for (const here of ["grpc+http://localhost:1", "grpc+http://[::1]", "grpc+unix:///socket"]) {
      expect(parseAddress(`${here}?token-file=t`)).toMatchObject({ files: { "token-file": "t" } });
    }
  });

  it.each([
    ["", "it is not a URL; use local:///folder, memory://, grpc+http://host:port,"],
    ["/var/lib/store", "it is not a URL"],
    ["local://var/lib/store", "no host is allowed"],
    ["local://", "it must name a folder: local:///folder"],
    ["local:///", "it must name a folder"],
    ["local:///folder?size=1", "no query is allowed"],
    ["local:///folder#x", "no query is allowed"],
    ["local:///%FF", "its folder is no text"],
    ["local:///100%", "write a percent sign as %25"],
    ["local:///a%00b", "its folder is no text"],
    ["memory:///folder", "no path is allowed: memory://"],
    ["memory://host", "no host is allowed"],
    ["grpc+http://", "it must name a host: grpc+http://host:port"],
    ["grpc+http://:8000", "it is not a URL"],
    ["grpc+http://host:8000/", "no path is allowed"],
    ["grpc+http://host:99999", "it is not a URL"],
    ["memory://?x=1", "no query is allowed"],
    ["grpc+http://host:8000?wait-connect=1", "unknown query key; allowed here: token-file"],
    ["grpc+https://host?ca=x", "allowed here: token-file, ca-file, cert-file, key-file"],
    ["grpc+http://localhost?ca-file=/x", "unknown query key; allowed here: token-file"],
    ["grpc+unix:///x?ca-file=/x", "unknown query key; allowed here: token-file"],
    ["grpc+https://host?token-file=", "token-file must name a file"],
    ["grpc+https://host?token-file=%FF", "token-file must name a file"],
    ["grpc+https://host?ca-file=a&ca-file=b", "ca-file is given twice"],
    ["grpc+https://host?cert-file=a", "cert-file and key-file go together"],
    ["grpc+http://host?token-file=/x", "a token is sent unencrypted to this machine only"],
    ["grpc+https://host#x", "no query is allowed"],
    ["grpc+https://token@host", "no user is allowed"],
    ["grpc+unix://host/path", "no host is allowed"],
    ["grpc+unix:///", "it must name a path: grpc+unix:///path"],
    ["grpc+unix:///%FF", "its path is no text"],
    ["grpc://host:8000", "unknown scheme; known are"],
    [
      "s3://bucket/prefix",
      "unknown scheme; known are local, memory, grpc+http, grpc+https, grpc+unix",
    ],
    ["ftp://example.org", "unknown scheme; known are"],
  ])("refuses %j", (text, why) => {
    expect(() => parseAddress(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringMatching(/^Invalid address /),
      }),
    );
    expect(() => parseAddress(text)).toThrow(why);
  });

  it("keeps secrets out of its messages", () => {
    const parse = () => parseAddress("ftp://user:hunter2@host/x?token=hunter2");
    expect(parse).toThrow("ftp://…@host/x?…");
    expect(parse).not.toThrow("hunter2");
  });
});

describe("redact()", () => {
  it.each([
    ["local:///folder", "local:///folder"],
    ["s3://id:secret@host/bucket", "s3://…@host/bucket"],
    ["https://host/path?secret-key=x&y=z", "https://host/path?…"],
    ["https://a@b@host/", "https://…@host/"],
    ["user:secret@host", "…@host"],
  ])("turns %s into %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });
});
