import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findImports, findViolations } from "./imports.js";

const root = new URL("../../", import.meta.url);
const FILE_SYSTEM = "castore/fs/file-system.ts";

describe("the source tree", () => {
  it("keeps to the import directions of docs/architecture.md", () => {
    const source = new URL("src/", root);
    const files = new Map(
      readdirSync(source, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => [file, readFileSync(new URL(file, source), "utf8")]),
    );
    const { dependencies } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

    expect(files.size).toBeGreaterThan(0);
    expect(findViolations(files, new Set(Object.keys(dependencies)))).toEqual([]);
  });
});

describe("findImports()", () => {
  it.each([
    ["a default", 'import a from "x";', "static"],
    ["names over several lines", 'import {\n  a,\n  type B as C,\n} from "x";', "static"],
    ["a namespace", 'import * as a from "x";', "static"],
    ["a side effect", 'import "x";', "static"],
    ["a re-export", 'export { a } from "x";', "static"],
    ["a re-export of everything", 'export * from "x";', "static"],
    ["a type", 'import type { A } from "x";', "type"],
    ["a re-exported type", 'export type { A } from "x";', "type"],
    ["import()", 'const a = await import("x");', "dynamic"],
    ["require()", 'const a = require("x");', "dynamic"],
  ])("sees %s", (_, source, kind) => {
    expect(findImports(source)).toEqual([{ kind, specifier: "x" }]);
  });

  it("sees a file that is started by its URL", () => {
    expect(findImports('new Worker(new URL("./w.js", import.meta.url))')).toEqual([
      { kind: "url", specifier: "./w.js" },
    ]);
  });

  it("admits that it cannot follow a computed import", () => {
    expect(findImports("await import(name)")).toEqual([{ kind: "dynamic", specifier: undefined }]);
  });

  it.each([
    ['// import "x"'],
    ['/** import("x") */'],
    ['/*\n * import("x")\n */'],
    ['export const from = "x";'],
    ['export function f() {\n  return "x";\n}'],
    ['log("import me from", "x");'],
  ])("is not misled by %j", (source) => {
    expect(findImports(source)).toEqual([]);
  });
});

describe("findViolations()", () => {
  const check = (files: Record<string, string>) =>
    findViolations(new Map(Object.entries(files)), new Set(["lmdb", "@grpc/grpc-js"]));

  it.each([
    ["castore on base", "castore/blob/a.ts", "../../base/x.js", "base/x.ts"],
    ["fuse on one castore file", "fuse/a.ts", "../castore/fs/file-system.js", FILE_SYSTEM],
    ["a codec on generated code", "store/a-codec.ts", "../gen/x.js", "gen/x.ts"],
    ["grpc on store", "grpc/a.ts", "../store/x.js", "store/x.ts"],
    ["cli on anything", "cli/a.ts", "../fuse/x.js", "fuse/x.ts"],
    ["a neighbour", "base/a.ts", "./x.js", "base/x.ts"],
  ])("allows %s", (_, file, specifier, target) => {
    expect(check({ [file]: `import { x } from "${specifier}";`, [target]: "" })).toEqual([]);
  });

  it.each([
    ["base on castore", "base/a.ts", "../castore/x.js", "castore/x.ts"],
    ["castore on store", "castore/a.ts", "../store/x.js", "store/x.ts"],
    ["store on grpc", "store/a.ts", "../grpc/x.js", "grpc/x.ts"],
    ["fuse on the rest of castore", "fuse/a.ts", "../castore/x.js", "castore/x.ts"],
    ["fuse on store", "fuse/a.ts", "../store/x.js", "store/x.ts"],
    ["anything but codecs on generated code", "store/a.ts", "../gen/x.js", "gen/x.ts"],
    ["anything on cli", "fuse/a.ts", "../cli/x.js", "cli/x.ts"],
  ])("refuses %s", (_, file, specifier, target) => {
    const violation = `${file} must not import ${target}`;
    for (const source of [
      `import { x } from "${specifier}";`,
      `import type { X } from "${specifier}";`,
      `export * from "${specifier}";`,
      `const x = await import("${specifier}");`,
      `new URL("${specifier}", import.meta.url);`,
    ]) {
      expect(check({ [file]: source, [target]: "" })).toEqual([violation]);
    }
  });

  it("refuses cycles, naming the files", () => {
    const files = {
      "base/a.ts": 'import "./b.js";',
      "base/b.ts": 'import "./c.js";',
      "base/c.ts": 'import "./b.js";',
    };
    expect(check(files)).toEqual(["import cycle: base/b.ts -> base/c.ts -> base/b.ts"]);
  });

  it("allows cycles of types", () => {
    const files = {
      "base/a.ts": 'import "./b.js";',
      "base/b.ts": 'import type { A } from "./a.js";',
    };
    expect(check(files)).toEqual([]);
  });

  it("refuses files outside the known folders", () => {
    expect(check({ "main.ts": "", "utils/a.ts": "" })).toHaveLength(2);
  });

  it.each([
    ["an undeclared package", 'import x from "left-pad";', "left-pad, which package.json"],
    ["an undeclared scoped package", 'import x from "@a/b/c";', "@a/b, which package.json"],
    ["a builtin without prefix", 'import fs from "fs";', "fs without its node: prefix"],
    ["a missing file", 'import x from "./gone.js";', "./gone.js, which is not there"],
    ["a computed import", "await import(name);", "something that only running it"],
  ])("refuses %s", (_, source, message) => {
    expect(check({ "base/a.ts": source })).toEqual([expect.stringContaining(message)]);
  });

  it("allows declared packages, builtins, types of undeclared packages and data files", () => {
    const source = [
      'import { open } from "lmdb";',
      'import grpc from "@grpc/grpc-js/build/x";',
      'import { join } from "node:path";',
      'import type { X } from "left-pad";',
      'new URL("../../protos/a.proto", import.meta.url);',
    ].join("\n");
    expect(check({ "base/a.ts": source })).toEqual([]);
  });
});
