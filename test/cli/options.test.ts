import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { STORE_OPTIONS, withEnvironment } from "../../src/cli/options.js";
import { UsageError } from "../../src/cli/usage-error.js";

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (/^TVIX_|_SERVICE_ADDR$/.test(name)) vi.stubEnv(name, undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("withEnvironment()", () => {
  const options = {
    "some-name": { describe: "A text", type: "string", requiresArg: true },
    flag: { describe: "A switch", type: "boolean", default: false },
    threads: { describe: "A number", type: "number" },
    level: { describe: "A choice", choices: ["low", "high"], default: "low" },
  } as const;

  it("names the variable of each option in its description", () => {
    const { "some-name": name, flag } = withEnvironment(options);
    expect(name.describe).toBe("A text [env: TVIX_SOME_NAME]");
    expect(flag.describe).toBe("A switch [env: TVIX_FLAG]");
    const addresses = withEnvironment(STORE_OPTIONS);
    expect(addresses["blob-service-addr"].describe).toContain("[env: BLOB_SERVICE_ADDR]");
  });

  it("keeps the defaults when no variable is set, or an empty one", () => {
    vi.stubEnv("TVIX_FLAG", "");
    const read = withEnvironment(options);
    expect(read.flag.default).toBe(false);
    expect(read.level.default).toBe("low");
    expect(read.threads).not.toHaveProperty("default");
  });

  it.each([
    ["TVIX_SOME_NAME", "some-name", "0123", "0123"],
    ["TVIX_FLAG", "flag", "1", true],
    ["TVIX_FLAG", "flag", "TRUE", true],
    ["TVIX_FLAG", "flag", "on", true],
    ["TVIX_FLAG", "flag", "no", false],
    ["TVIX_FLAG", "flag", "0", false],
    ["TVIX_THREADS", "threads", "12", 12],
    ["TVIX_LEVEL", "level", "high", "high"],
  ] as const)("reads %s into %s: %j is %j", (variable, name, text, value) => {
    vi.stubEnv(variable, text);
    expect(withEnvironment(options)[name]).toMatchObject({ default: value });
  });

  it.each([
    ["TVIX_FLAG", "maybe", 'TVIX_FLAG is "maybe", expected yes or no'],
    ["TVIX_THREADS", "-1", 'TVIX_THREADS is "-1", expected a number'],
    ["TVIX_THREADS", "two", 'TVIX_THREADS is "two", expected a number'],
    ["TVIX_LEVEL", "middle", 'TVIX_LEVEL is "middle", expected one of low, high'],
  ])("refuses %s=%s", (variable, text, message) => {
    vi.stubEnv(variable, text);
    expect(() => withEnvironment(options)).toThrow(new UsageError(message));
  });

  it("takes the last of several, unless the option is a list", () => {
    const read = withEnvironment({
      ...options,
      list: { describe: "A list", type: "string", array: true },
    } as const) as Record<string, { coerce?: (value: unknown) => unknown }>;
    expect(read["some-name"]?.coerce?.(["a", "b"])).toBe("b");
    expect(read["some-name"]?.coerce?.("a")).toBe("a");
    expect(read["list"]?.coerce?.(["a", "b"])).toEqual(["a", "b"]);
  });

  it("refuses an empty text where one is needed", () => {
    const { "some-name": name } = withEnvironment(options) as Record<
      string,
      { coerce?: (value: unknown) => unknown }
    >;
    expect(() => name?.coerce?.("")).toThrow(new UsageError("--some-name is empty"));
  });

  it("lets an option read its value itself", () => {
    const twice = { describe: "", type: "number", coerce: (value: number) => value * 2 } as const;
    const { count } = withEnvironment({ count: twice }) as {
      count: { coerce(value: unknown): unknown };
    };
    expect(count.coerce(21)).toBe(42);
    expect(count.coerce([1, 3])).toBe(6);
  });
});
