/**
 * Preloaded by compile-code.mjs: keeps the code of all functions that were called in this process, one file for each
 * module in the folder CODE_FOLDER, together with what processes before it left there.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import v8 from "node:v8";
import { threadId } from "node:worker_threads";
import { codeKey, compileModules, scriptOf } from "../build/cli/compiled-code.js";

const folder = process.env.CODE_FOLDER;
const scripts = new Map();

// V8 takes code only under the flags under which it was made: those of a program that begins.
v8.setFlagsFromString = () => {};

compileModules((source, filename) => {
  // Neither works in a script of ours: `#!` would come behind the wrapper, and V8 forgets who is to answer `import()`.
  if (source.startsWith("#!") || /\bimport\(/.test(source)) return undefined;
  const place = join(folder, codeKey(source));
  const before = existsSync(place) ? readFileSync(place) : undefined;
  const script = scriptOf(source, filename, before);
  scripts.set(place, script);
  return script;
});

process.on("exit", () => {
  for (const [place, script] of scripts) {
    const code = script.createCachedData();
    // Another thread may have left its own meanwhile: that of the one who called more stays.
    if (existsSync(place) && readFileSync(place).length >= code.length) continue;
    const temporary = `${place}.${process.pid}.${threadId}`;
    writeFileSync(temporary, code);
    renameSync(temporary, place);
  }
});
