import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { contentAddressedPath, parseContentAddress } from "../../src/store/content-address.js";
import { ReferenceCandidates } from "../../src/store/references/candidates.js";
import { ReferenceScanner } from "../../src/store/references/scanner.js";
import { StorePath } from "../../src/store/store-path.js";
import { BinaryCache } from "../support/binary-cache.js";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

if (nixObstacle !== undefined) console.warn(`Comparison with Nix skipped: ${nixObstacle}`);

const folder = temporaryFolder();
const store = new TestStore();

interface Info {
  readonly path: string;
  readonly references: readonly string[];
  readonly ca: string;
}

async function info(path: string): Promise<Info> {
  return JSON.parse(await store.output("path-info", "--json", path))[0];
}

async function importFile(name: string, content: string | Uint8Array, ...options: string[]) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return await store.import(path, ...options);
}

/** A tree that names the first path in a file's middle, the second in a link, the third in a file name. */
function makeTree(name: string, [inFile, inLink, inName]: readonly string[]): string {
  const tree = join(folder, name);
  mkdirSync(tree);
  const hash = (inFile as string).slice("/nix/store/".length, "/nix/store/".length + 32);
  // The file is read a MiB at a time: this lies across the border.
  const content = Buffer.concat([noise(2 ** 20 - 16), Buffer.from(hash), noise(100_000)]);
  writeFileSync(join(tree, "large"), content);
  symlinkSync(`${inLink}/bin/x`, join(tree, "link"));
  writeFileSync(join(tree, (inName as string).slice("/nix/store/".length)), "");
  return tree;
}

describe("tvix-store import --references", () => {
  test("finds in files, symlinks and names what is in the store, with auto", async () => {
    const [a, b, c, unmentioned] = await Promise.all(
      ["a", "b", "c", "d"].map((name) => importFile(name, `content of ${name}`)),
    );
    const tree = makeTree("tree", [a, b, c] as string[]);
    const path = await store.import(tree, "--references", "auto");
    const { references, ca } = await info(path);
    expect(references).toEqual([a, b, c].sort());
    expect(references).not.toContain(unmentioned);
    const paths = references.map((each) => StorePath.parseAbsolute(each));
    expect(String(contentAddressedPath(parseContentAddress(ca), "tree", paths))).toBe(path);

    const plain = await store.import(tree);
    expect(plain).not.toBe(path);
    expect((await info(plain)).references).toEqual([]);
    expect(await store.import(tree, "--references", "none")).toBe(plain);
  });

  test("gives paths whose closure path-info -r lists, references first", async () => {
    const first = await importFile("chain-1", "start of a chain");
    const second = await importFile("chain-2", first, "--references", "auto");
    const third = await importFile("chain-3", `${second} ${first}`, "--references", "auto");
    const lines = await store.output("path-info", "-r", third, first);
    expect(lines).toBe(`${first}\n${second}\n${third}\n`);
  });

  test("finds earlier PATHs of the same command", async () => {
    const first = join(folder, "first");
    writeFileSync(first, "first of two");
    const stored = await store.import(first);
    const second = join(folder, "second");
    writeFileSync(second, stored);
    const fresh = new TestStore();
    const lines = await fresh.output("import", "--references", "auto", first, second);
    const [, path] = lines.trimEnd().split("\n");
    const [{ references }] = JSON.parse(await fresh.output("path-info", "--json", path as string));
    expect(references).toEqual([stored]);
  });

  test("finds what a file lists, in the store or not, and nothing else", async () => {
    const absent = `/nix/store/${"3".repeat(32)}-absent`;
    const present = await importFile("present", "present");
    const other = await importFile("other", "other");
    const list = join(folder, "list");
    writeFileSync(list, `${absent}\n\n${present.slice("/nix/store/".length)}\r\n`);
    const path = await importFile("x", [absent, present, other].join(), "--references", list);
    expect((await info(path)).references).toEqual([absent, present].sort());
  });

  test.each([
    ["a file that is not there", join(folder, "nowhere"), undefined, "no such file"],
    ["a line that is no store path", join(folder, "bad"), "\nnonsense\n", "bad:2: Invalid store"],
    ["a path in another store", join(folder, "gnu"), "/gnu/store/x\n", "it is not in /nix/store"],
  ])("refuses %s before anything is stored", async (_title, file, content, message) => {
    if (content !== undefined) writeFileSync(file, content);
    const fresh = new TestStore();
    const { status, stdout, stderr } = await fresh.run([
      "import",
      "--references",
      file,
      "/etc/hostname",
    ]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(message);
  });
});

describe.skipIf(nixObstacle !== undefined)("References beside Nix:", () => {
  test("an import with references is where Nix would have it, without a signature", async () => {
    const names = ["one", "two", "three"];
    const paths = await Promise.all(names.map((name) => importFile(name, `it is ${name}`)));
    const path = await store.import(makeTree("for-nix", paths), "--references", "auto");
    const cache = new BinaryCache();
    for (const each of [...paths, path]) {
      const { references, ca } = await info(each);
      cache.add({
        storePath: StorePath.parseAbsolute(each),
        nar: await store.narDump(each),
        references: references.map((reference) => StorePath.parseAbsolute(reference)),
        ca: parseContentAddress(ca),
      });
    }
    const nix = new RealNix("require-sigs = true");
    await nix.output("nix", "copy", "--from", cache.url(), path);
    expect((await nix.pathInfos()).map((each) => each.path).sort()).toEqual(
      [...paths, path].sort(),
    );
    for (const flags of [["-r", "-sSh"], ["-rS"], ["--sigs"]]) {
      // Nix pads paths to the longest of them.
      const lines = async (printed: Promise<string>) =>
        (await printed)
          .replace(/^(\S+) +\t/gm, "$1\t")
          .split("\n")
          .sort();
      expect(await lines(store.output("path-info", ...flags, path))).toEqual(
        await lines(nix.output("nix", "path-info", ...flags, path)),
      );
    }
    const [seen] = await nix.pathInfos(path);
    expect([...(seen?.references ?? [])].sort()).toEqual([...paths].sort());
  });

  // Its sandbox takes namespaces, which others may not make.
  test.skipIf(process.getuid?.() !== 0)("they are those Nix finds in what it builds", async () => {
    const nix = new RealNix();
    const texts = await Promise.all(
      ["a", "b", "c"].map((name) => nix.addText(name, `text of ${name}`)),
    );
    const expression = join(folder, "build.nix");
    const script =
      'mkdir $out; echo "x-$a-y" > $out/file; ln -s "$b/z" $out/link; echo $out > $out/me';
    writeFileSync(
      expression,
      `derivation {
        name = "built";
        system = builtins.currentSystem;
        builder = "/bin/sh";
        PATH = "/bin:/usr/bin";
        args = [ "-c" ${JSON.stringify(script)} ];
        ${texts.map((path, index) => `${"abc"[index]} = builtins.storePath ${path};`).join(" ")}
      }`,
    );
    const derivation = (await nix.output("nix-instantiate", expression)).trimEnd();
    const built = (await nix.output("nix-store", "--realise", derivation)).trimEnd();
    const [seen] = await nix.pathInfos(built);
    expect(seen?.references).toHaveLength(3);

    const cache = new BinaryCache();
    await nix.output("nix", "copy", "--to", cache.url("compression=none"), built);
    const scanner = new ReferenceScanner(candidates([built, ...texts]));
    scanner.update(cache.nar(StorePath.parseAbsolute(built)));
    expect(scanner.references.map(String)).toEqual([...(seen?.references ?? [])].sort());
  });
});

function candidates(paths: readonly string[]): ReferenceCandidates {
  const result = new ReferenceCandidates();
  for (const path of paths) result.add(StorePath.parseAbsolute(path));
  return result;
}
