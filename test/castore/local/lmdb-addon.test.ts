import { createRequire } from "node:module";
import { dirname } from "node:path";
import { expect, it } from "vitest";
import lmdbAddon from "../../../src/castore/local/lmdb-addon.js";

it("finds the addon that LMDB's package finds for itself", () => {
  const addon = lmdbAddon();
  const main = createRequire(import.meta.url).resolve("lmdb");
  const require = createRequire(main);
  const { resolve } = require("node-gyp-build-optional-packages") as {
    resolve(folder: string): string;
  };
  expect(require.cache[resolve(dirname(dirname(main)))]?.exports).toBe(addon);
});
