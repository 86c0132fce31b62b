/**
 * A closure that Nix itself builds: the packages this repository depends on, a store path each, which refer to
 * each other like a tree, and a program on top that uses a few of them.
 */
import { cpSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { inRepository } from "../support/run.js";
import type { Nix } from "./nix.js";

const PACKAGES = 40;
/** What the program reads from: one package of this many, by size. */
const USED_EACH = 8;

export interface Closure {
  /** The store path of the program, `bin/program` in it. */
  readonly program: string;
  readonly paths: number;
  /** The sizes of NARs together. */
  readonly narBytes: number;
  /** What the program reads from, and itself. */
  readonly usedPaths: number;
  readonly usedNarBytes: number;
}

interface Tree {
  readonly name: string;
  readonly folder: string;
}

/** Builds it in the store of `nix`, from copies in `folder`, signed with `secretKeyFile`. */
export function makeClosure(nix: Nix, folder: string, secretKeyFile: string): Closure {
  const trees = [tools(join(folder, "tools")), ...packages()];
  const used = trees.filter((_, index) => index % USED_EACH === 0);
  const expression = join(folder, "closure.nix");
  writeFileSync(expression, expressionFor(trees, used));
  const derivation = nix.run("nix-instantiate", expression).trim();
  const program = nix.run("nix-store", "--realise", derivation).trim();
  nix.run("nix", "store", "sign", "--recursive", "--key-file", secretKeyFile, program);
  const json = nix.run("nix", "path-info", "--json", "--recursive", program);
  const infos = JSON.parse(json) as { path: string; narSize: number }[];
  const isUsed = ({ path }: { path: string }) =>
    path === program || used.some(({ name }) => path.endsWith(`-${name}`));
  const sum = (among: typeof infos) => among.reduce((total, { narSize }) => total + narSize, 0);
  const usedInfos = infos.filter(isUsed);
  return {
    program,
    paths: infos.length,
    narBytes: sum(infos),
    usedPaths: usedInfos.length,
    usedNarBytes: sum(usedInfos),
  };
}

/** A program that has to come from the store, too. */
function tools(folder: string): Tree {
  mkdirSync(join(folder, "bin"), { recursive: true });
  cpSync("/bin/cat", join(folder, "bin", "cat"), { dereference: true });
  return { name: "tools", folder };
}

/** The largest first: from a program of 100 MB to some thousand small files. */
function packages(): Tree[] {
  const root = inRepository("node_modules");
  const folders = readdirSync(root)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name.startsWith("@")
        ? readdirSync(join(root, name)).map((below) => join(root, name, below))
        : [join(root, name)],
    );
  return folders
    .map((folder) => ({ name: nameOf(relative(root, folder)), folder, bytes: sizeOf(folder) }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, PACKAGES);
}

/** "@scope/package" is no name of a store path. */
function nameOf(place: string): string {
  return place.replaceAll("@", "").replaceAll("/", "-");
}

function sizeOf(path: string): number {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/** Path k refers to 2k + 1 and 2k + 2, so that the closure of the first one is all of them. */
function expressionFor(trees: readonly Tree[], used: readonly Tree[]): string {
  const lines = trees.map(({ folder }, index) => {
    const below = [2 * index + 1, 2 * index + 2].filter((each) => each < trees.length);
    const references = below.map((each) => `\${p${each}}`).join(" ");
    const { name } = trees[index] as Tree;
    const source = `\${builtins.path { name = "source"; path = ${JSON.stringify(folder)}; }}`;
    return `  p${index} = make "${name}" ''cp -r ${source} $out; chmod u+w $out; echo "${references}" > $out/.references'';`;
  });
  const places = used.map((tree) => `$store/\${baseNameOf p${trees.indexOf(tree)}}`);
  const [toolsPlace, ...packagePlaces] = places;
  const files = packagePlaces.map((place) => `${place}/package.json`).join(" ");
  return `let
  make = name: script: derivation {
    inherit name;
    system = "x86_64-linux";
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    args = [ "-c" script ];
  };
${lines.join("\n")}
in make "program" ''
  mkdir -p $out/bin
  cat > $out/bin/program <<'END'
#!/bin/sh
# \${p0}
store=''\${0%/*/*/*}
exec ${toolsPlace}/bin/cat ${files}
END
  chmod +x $out/bin/program
''
`;
}
