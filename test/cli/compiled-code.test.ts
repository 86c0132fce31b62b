import { writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  type CodeIndex,
  codeKey,
  INDEX_LENGTH_BYTES,
  nodeBuild,
  scriptOf,
  useCompiledCode,
} from "../../src/cli/compiled-code.js";
import { runProgram } from "../support/child.js";
import { CLI, TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
const require = createRequire(import.meta.url);
const loader = (Module as unknown as { prototype: { _compile: unknown } }).prototype;
const compileAsAlways = loader._compile;
afterEach(() => {
  loader._compile = compileAsAlways;
});

/** As long as any other, which is all that V8 looks at. */
const source = (value: number) => `module.exports = { value: ${value}, place: __dirname };`;

/** A file with the code of `compiled` for what has the source `key`. */
function codeFile(key: string, compiled: string, node = nodeBuild()): string {
  const script = scriptOf(compiled, "x.cjs", undefined);
  script.runInThisContext()({}, require, {}, "", "");
  const code = script.createCachedData();
  const index: CodeIndex = { node, codes: { [codeKey(key)]: [3, code.length] } };
  const text = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(INDEX_LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  const file = join(folder, "codes");
  writeFileSync(file, Buffer.concat([length, text, Buffer.alloc(3), code]));
  return file;
}

let count = 0;
function load(content: string): { value: number; place: string } {
  const path = join(folder, `module-${count++}.cjs`);
  writeFileSync(path, content);
  return require(path);
}

describe("Compiled code", () => {
  test("is used for the module that it was kept for, and no other", () => {
    useCompiledCode(codeFile(source(1), source(2)));
    expect(load(source(1)).value).toBe(2);
    expect(load(source(1)).place).toBe(folder);
    expect(load(source(3)).value).toBe(3);
  });

  test("is not used when another Node made it, or it is cut off, or there is none", () => {
    useCompiledCode(codeFile(source(1), source(2), `${nodeBuild()}1`));
    expect(load(source(1)).value).toBe(1);
    const cut = join(folder, "cut");
    writeFileSync(cut, Buffer.from([200, 0, 0, 0, 1]));
    useCompiledCode(cut);
    useCompiledCode(join(folder, "absent"));
    expect(load(source(1)).value).toBe(1);
  });
});

/** Says at the end how many scripts V8 took the code of, and how many not. */
const COUNTER = `
  const vm = require("node:vm");
  const counts = { taken: 0, rejected: 0 };
  vm.Script = class extends vm.Script {
    constructor(source, options) {
      super(source, options);
      if (options.cachedData) counts[this.cachedDataRejected ? "rejected" : "taken"]++;
    }
  };
  process.on("exit", () => process._rawDebug(JSON.stringify(counts)));
`;

test("The program is built with compiled code, which V8 takes", async () => {
  const store = new TestStore();
  const path = await store.import(folder);
  const counter = join(folder, "counter.cjs");
  writeFileSync(counter, COUNTER);
  for (const command of [["ls"], ["nar", "dump"]]) {
    const args = ["--require", counter, CLI, ...command, "--store-dir", store.folder, path];
    const { stderr } = await runProgram(process.execPath, args);
    const { taken, rejected } = JSON.parse(stderr);
    expect({ command, rejected }).toEqual({ command, rejected: 0 });
    expect(taken).toBeGreaterThan(20);
  }
});
