import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OP } from "../../../src/fuse/protocol/opcodes.js";
import { temporaryFolder } from "../../support/temp.js";
import { LAYOUTS, type Layout } from "./support/layouts.js";

/** Fields newer than some headers: the version they came with. */
const SINCE: Readonly<Record<string, number>> = {
  "fuse_init_out.max_stack_depth": 40,
  "fuse_open_out.backing_id": 40,
  "fuse_init_in.flags2": 36,
  "fuse_init_out.flags2": 36,
};

/** Their names in linux/fuse.h, where these differ from ours. */
const OPCODES = Object.entries(OP).map(([name, number]) => {
  const upper = name === "batchForget" ? "BATCH_FORGET" : name.toUpperCase();
  return { name: `FUSE_${upper}`, number };
});

/** A C program that prints the header's version, then one `name value` per line. */
function program(): string {
  const lines = Object.entries(LAYOUTS as Record<string, Layout>).flatMap(([struct, layout]) => [
    `printf("${struct} %zu\\n", sizeof(struct ${struct}));`,
    ...Object.keys(layout.fields).map((field) => {
      const name = `${struct}.${field}`;
      const member = `((struct ${struct} *)0)->${field}`;
      const print = `printf("${name} %zu %zu\\n", offsetof(struct ${struct}, ${field}), sizeof(${member}));`;
      const since = SINCE[name];
      return since === undefined
        ? print
        : `#if FUSE_KERNEL_MINOR_VERSION >= ${since}\n${print}\n#endif`;
    }),
  ]);
  const opcodes = OPCODES.filter(({ number }) => number !== OP.statx).map(
    ({ name }) => `printf("${name} %d\\n", ${name});`,
  );
  return `#include <linux/fuse.h>
#include <stddef.h>
#include <stdio.h>
int main(void) {
printf("minor %d\\n", FUSE_KERNEL_MINOR_VERSION);
${[...lines, ...opcodes].join("\n")}
}
`;
}

/** What the header of this machine says, or why there is nothing to compare with. */
function compile(): { values: Map<string, string> } | { obstacle: string } {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "layouts.c"), program());
  try {
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: folder, stdio: "pipe", encoding: "utf8" });
    run("gcc", "-o", "layouts", "layouts.c");
    const lines = run("./layouts").trimEnd().split("\n");
    return { values: new Map(lines.map((line) => line.split(/ (.*)/) as [string, string])) };
  } catch (error) {
    return { obstacle: String((error as { stderr?: string }).stderr ?? error) };
  }
}

const header = compile();
const obstacle = "obstacle" in header ? header.obstacle : undefined;
if (obstacle !== undefined) console.warn(`Not compared with linux/fuse.h: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("The layouts the tests are written against", () => {
  const values = "values" in header ? header.values : new Map<string, string>();

  test("are those of linux/fuse.h", () => {
    const compared = new Map<string, string>();
    const expected = new Map<string, string>();
    for (const [struct, { size, fields }] of Object.entries(LAYOUTS as Record<string, Layout>)) {
      expected.set(struct, String(size));
      for (const [field, [offset, width]] of Object.entries(fields)) {
        expected.set(`${struct}.${field}`, `${offset} ${width}`);
      }
    }
    for (const name of expected.keys()) {
      const found = values.get(name);
      if (found !== undefined) compared.set(name, found);
    }
    expect(compared).toEqual(new Map([...expected].filter(([name]) => values.has(name))));
    expect(compared.size).toBeGreaterThan(90);
  });

  test("have the request numbers of linux/fuse.h", () => {
    for (const { name, number } of OPCODES) {
      const found = values.get(name);
      if (found !== undefined) expect(`${name} ${found}`).toBe(`${name} ${number}`);
    }
    expect(values.has("FUSE_READDIRPLUS")).toBe(true);
  });
});
