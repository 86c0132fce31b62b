import { cpSync, existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { outputOf, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { temporaryFolder } from "../support/temp.js";

/** Where the C compiler of this machine keeps its parts. */
interface Compiler {
  readonly program: string;
  readonly assembler: string;
  readonly linker: string;
  /** Holds cc1, collect2, crtbegin.o, libgcc.a and the compiler's own headers. */
  readonly parts: string;
  /** Of the C library: crt1.o and libc.so. */
  readonly library: string;
  readonly headers: string;
}

async function findCompiler(): Promise<Compiler | string> {
  const said = async (...args: string[]): Promise<string> =>
    (await runProgram("gcc", args)).stdout.trim();
  const which = async (name: string) =>
    (await runProgram("sh", ["-c", `command -v ${name}`])).stdout.trim();
  const program = await which("gcc");
  if (program === "") return "there is no gcc here";
  const paths = {
    program,
    assembler: await which("as"),
    linker: await which("ld"),
    parts: dirname(await said("-print-prog-name=cc1")),
    library: dirname(await said("-print-file-name=crt1.o")),
    headers: "/usr/include",
  };
  const missing = Object.entries(paths).find(([, path]) => !existsSync(path));
  if (missing !== undefined) return `the ${missing[0]} of gcc is not where it should be`;
  return Object.fromEntries(
    Object.entries(paths).map(([part, path]) => [part, realpathSync(path)]),
  ) as unknown as Compiler;
}

const PARTS = ["cc1", "collect2", "include", "libgcc.a", "libgcc_s.so", "libgcc_eh.a"].concat(
  ["crtbegin.o", "crtbeginS.o", "crtend.o", "crtendS.o"],
  ["lto-wrapper", "liblto_plugin.so"],
);
const LIBRARY = ["crt1.o", "Scrt1.o", "crti.o", "crtn.o", "libc.so", "libc_nonshared.a"];
/** What <stdio.h> and friends include, wherever a distribution keeps it. */
const HEADERS = ["asm-generic", "linux", "bits", "sys", "gnu", "asm", "x86_64-linux-gnu"].concat([
  "aarch64-linux-gnu",
]);

/** Copies a tool chain that can compile C programs into `folder`. */
function copyToolChain(compiler: Compiler, folder: string): void {
  const copy = (from: string, to: string) => {
    if (existsSync(from)) cpSync(from, join(folder, to), { recursive: true, dereference: true });
  };
  for (const name of ["bin", "parts", "library", "headers"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  copy(compiler.program, "bin/gcc");
  copy(compiler.assembler, "bin/as");
  copy(compiler.linker, "bin/ld");
  for (const name of PARTS) copy(join(compiler.parts, name), `parts/${name}`);
  for (const name of LIBRARY) copy(join(compiler.library, name), `library/${name}`);
  for (const name of HEADERS) copy(join(compiler.headers, name), `headers/${name}`);
  cpSync(compiler.headers, join(folder, "headers"), {
    recursive: true,
    dereference: true,
    filter: (path) => path === compiler.headers || /^[\w-]+\.h$/.test(basename(path)),
  });
}

const SOURCES = Array.from({ length: 12 }, (_, n) => ({
  name: `part${n}`,
  text: `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint part${n}(int x) {
  char *s = malloc(64); snprintf(s, 64, "%d", x * ${n + 1}); int r = atoi(s) + (int)strlen(s);
  free(s); return r; }\n`,
}));
const MAIN = `#include <stdio.h>
${SOURCES.map(({ name }) => `int ${name}(int);`).join("\n")}
int main(void) { printf("%d\\n", ${SOURCES.map(({ name }) => `${name}(7)`).join(" + ")}); return 0; }
`;

const compiler = kernelTestsObstacle ?? (await findCompiler());
const obstacle = typeof compiler === "string" ? compiler : undefined;
if (obstacle !== undefined) console.warn(`Tool chain not run from a mount: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("A compiler in a kernel mount", () => {
  test("compiles, links and gives what it gives from disk, also many at once", async () => {
    const disk = join(temporaryFolder(), "tool-chain");
    copyToolChain(compiler as Compiler, disk);
    const store = new TestStore();
    const path = await store.import(disk);
    using mount = await CliMount.start(store, "--engine=kernel");
    const work = temporaryFolder();
    writeFileSync(join(work, "main.c"), MAIN);
    for (const { name, text } of SOURCES) writeFileSync(join(work, `${name}.c`), text);

    const built = async (chain: string, out: string): Promise<string> => {
      mkdirSync(join(work, out));
      const script = `
        chain=$1 out=$2
        gcc="$chain/bin/gcc -O1 -B$chain/bin/ -B$chain/parts/ -B$chain/library/ -L$chain/parts -nostdinc"
        for i in "$chain/parts/include" "$chain"/headers/*-linux-gnu "$chain/headers"; do
          [ ! -d "$i" ] || gcc="$gcc -isystem $i"
        done
        ls *.c | sed 's/[.]c$//' | xargs -P 8 -I% $gcc -c -o $out/%.o %.c &&
        $gcc -v -o $out/program $out/*.o 2> $out/trace && $out/program`;
      return await outputOf("sh", "-c", `cd "$0" && ${script}`, work, chain, out);
    };
    const expected = SOURCES.reduce((sum, _, n) => sum + 7 * (n + 1) + `${7 * (n + 1)}`.length, 0);
    expect(await built(mount.path(path), "mounted")).toBe(`${expected}\n`);
    expect(await built(disk, "disk")).toBe(`${expected}\n`);
    const differing = await runProgram(
      "diff",
      ["-rq", "-x", "trace", "-x", "program", "mounted", "disk"],
      {
        cwd: work,
      },
    );
    expect(differing.stdout).toBe("");
    // It was the mounted linker indeed.
    expect(await outputOf("cat", join(work, "mounted", "trace"))).toContain(
      `${mount.path(path)}/parts/collect2`,
    );
    expect(await mount.stop()).toBe(0);
  });
});
