import { builtinModules } from "node:module";
import { posix } from "node:path";

/** One mention of another module: `type` is gone once compiled, `url` names a file to be started. */
export interface Import {
  readonly kind: "static" | "type" | "dynamic" | "url";
  /** `undefined` where it is worked out at run time and so cannot be checked. */
  readonly specifier: string | undefined;
}

/** Which folders, or single files, of `src/` the files of each folder may import besides their own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  castore: ["base"],
  store: ["castore", "base"],
  fuse: ["castore/fs/file-system.ts", "base"],
  grpc: ["store", "castore", "base", "gen"],
  http: ["store", "castore", "base"],
  gen: [],
  cli: ["http", "grpc", "fuse", "store", "castore", "base"],
};

// The formatter leaves statements at the start of a line and doc comments with a leading asterisk,
// so patterns by line do the work of a parser here.
const COMMENT_LINE = /^\s*(\/\/|\/\*|\*[ /]|\*$).*$/gm;
const STATEMENT = /^(?:import|export)\s+(type\s)?(?:[\w$*{},\s]+?\sfrom\s+)?"([^"]+)"/gm;
const DYNAMIC = /\b(?:import|require)\(\s*(?:"([^"]+)"\s*,?\s*\))?/g;
const URL_OF_FILE = /\bnew URL\(\s*"(\.[^"]+)",\s*import\.meta\.url/g;

export function findImports(source: string): Import[] {
  const code = source.replace(COMMENT_LINE, "");
  return [
    ...Array.from(code.matchAll(STATEMENT), ([, type, specifier]) => ({
      kind: type === undefined ? ("static" as const) : ("type" as const),
      specifier,
    })),
    ...Array.from(code.matchAll(DYNAMIC), ([, specifier]) => ({
      kind: "dynamic" as const,
      specifier,
    })),
    ...Array.from(code.matchAll(URL_OF_FILE), ([, specifier]) => ({
      kind: "url" as const,
      specifier,
    })),
  ];
}

/**
 * What is wrong with the imports of these files, one sentence each.
 *
 * @param files source text by path below `src/`, such as `castore/digest.ts`
 * @param dependencies packages that are there at run time
 */
export function findViolations(
  files: ReadonlyMap<string, string>,
  dependencies: ReadonlySet<string>,
): string[] {
  const violations: string[] = [];
  const graph = new Map<string, string[]>();

  for (const [file, source] of files) {
    const targets: string[] = [];
    graph.set(file, targets);

    if (MAY_IMPORT[folderOf(file)] === undefined) {
      violations.push(`${file} is in none of the folders ${Object.keys(MAY_IMPORT).join(", ")}`);
      continue;
    }

    for (const { kind, specifier } of findImports(source)) {
      if (specifier === undefined) {
        violations.push(`${file} imports something that only running it would tell`);
      } else if (specifier.startsWith(".")) {
        const target = posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts");
        if (kind === "url" && target.startsWith("../")) continue; // data beside src/
        if (!files.has(target)) violations.push(`${file} imports ${specifier}, which is not there`);
        else if (!mayImport(file, target)) violations.push(`${file} must not import ${target}`);
        else if (kind === "static" || kind === "dynamic") targets.push(target);
      } else if (!specifier.startsWith("node:")) {
        const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
        if (builtinModules.includes(specifier)) {
          violations.push(`${file} imports ${specifier} without its node: prefix`);
        } else if (kind !== "type" && !dependencies.has(name)) {
          violations.push(`${file} imports ${name}, which package.json does not depend on`);
        }
      }
    }
  }

  const cycle = findCycle(graph);
  if (cycle !== undefined) violations.push(`import cycle: ${cycle.join(" -> ")}`);
  return violations;
}

function folderOf(file: string): string {
  const slash = file.indexOf("/");
  return slash === -1 ? "" : file.slice(0, slash);
}

function mayImport(file: string, target: string): boolean {
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === to) return true;
  if (to === "gen" && file.endsWith("-codec.ts")) return true;
  return (MAY_IMPORT[from] ?? []).some((allowed) => allowed === to || allowed === target);
}

/** The first cycle met, its first file repeated at the end. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];

  function visit(file: string): string[] | undefined {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const target of graph.get(file) ?? []) {
      const cycle = visit(target);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  }

  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
