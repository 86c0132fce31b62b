/**
 * narinfos, signatures and content addresses beside those of Nix itself.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type ContentAddress,
  contentAddressedPath,
  formatContentAddress,
  parseContentAddress,
} from "../../src/store/content-address.js";
import { ModuloHasher } from "../../src/store/nar/modulo-hasher.js";
import { fingerprint } from "../../src/store/narinfo/fingerprint.js";
import { formatNarinfo } from "../../src/store/narinfo/narinfo.js";
import { parseNarinfo } from "../../src/store/narinfo/parse.js";
import { HASH_ALGORITHMS, type HashAlgorithm, parseHash } from "../../src/store/nix-hash.js";
import { trustIn } from "../../src/store/path-info-trust.js";
import { PublicKey } from "../../src/store/signature/public-key.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { readSignature } from "../../src/store/signature/signature-text.js";
import { StorePath } from "../../src/store/store-path.js";
import { BinaryCache } from "../support/binary-cache.js";
import { TestStore } from "../support/cli.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

if (nixObstacle !== undefined) console.warn(`Comparison with Nix skipped: ${nixObstacle}`);

const folder = temporaryFolder();
const file = join(folder, "a file");
const tree = join(folder, "tree");
writeFileSync(file, "some content\n");
mkdirSync(tree);
writeFileSync(join(tree, "file"), "x");
symlinkSync("file", join(tree, "link"));

const digestOf = (algorithm: HashAlgorithm, content: Uint8Array): Buffer =>
  createHash(algorithm).update(content).digest();

const parse = (text: string) => parseNarinfo(Buffer.from(text));

/** A destination that takes only what `key` signed, or what is content-addressed. */
function strictNix(...keys: PublicKey[]): RealNix {
  return new RealNix(`require-sigs = true\ntrusted-public-keys = ${keys.join(" ")}`);
}

describe.skipIf(nixObstacle !== undefined)("What Nix signed verifies here:", () => {
  const nix = new RealNix();
  const secretFile = join(folder, "secret");
  const publicFile = join(folder, "public");

  test.each(["none", "xz", "bzip2", "gzip", "zstd", "br"])(
    "narinfos of nix copy, %s",
    async (compression) => {
      const name = `under_score+${compression}`;
      await nix.output(
        "nix-store",
        "--generate-binary-cache-key",
        name,
        `${secretFile}-${compression}`,
        publicFile,
      );
      const key = PublicKey.parse(readFileSync(publicFile, "utf8"));
      const cache = new BinaryCache();
      const text = await nix.addText("text", "some text");
      const paths = [await nix.addText("both", "see ", text), await nix.add(tree)];
      await nix.output(
        "nix",
        "copy",
        "--to",
        cache.url(`compression=${compression}`, `secret-key=${secretFile}-${compression}`),
        ...paths,
      );
      const narinfos = cache.narinfos();
      expect(narinfos).toHaveLength(3);
      for (const narinfo of narinfos) {
        const parsed = parse(narinfo);
        expect(formatNarinfo(parsed)).toBe(narinfo);
        expect(parsed.compression).toBe(compression);
        const { ca: _, ...unaddressed } = parsed;
        expect(trustIn(unaddressed, [key])).toEqual({ by: "signature", key });
        // Both kinds of content address are borne out too.
        expect(trustIn(parsed, [])).toEqual({ by: "content-address" });
      }
    },
  );

  test("path infos of nix store sign, with keys of ours and of Nix", async () => {
    await nix.output("nix-store", "--generate-binary-cache-key", "nix-1", secretFile, publicFile);
    const key = PublicKey.parse(readFileSync(publicFile, "utf8"));
    expect(String(SecretKey.parse(readFileSync(secretFile, "utf8")).publicKey)).toBe(String(key));
    const ours = SecretKey.generate("ours_1+");
    const oursFile = join(folder, "ours");
    writeFileSync(oursFile, ours.reveal());
    const path = await nix.addText("signed", "x", await nix.addText("text", "some text"));
    for (const each of [secretFile, oursFile]) {
      await nix.output("nix", "store", "sign", "--key-file", each, path);
    }
    const [info] = await nix.pathInfos(path);
    const message = fingerprint({
      storePath: StorePath.parseAbsolute(path),
      narSha256: parseHash(info?.narHash ?? "").digest,
      narSize: BigInt(info?.narSize ?? 0),
      references: (info?.references ?? []).map((each) => StorePath.parseAbsolute(each)),
    });
    expect(info?.references).toHaveLength(1);
    const signatures = (info?.signatures ?? []).map((text) => readSignature(text));
    expect(signatures).toHaveLength(2);
    for (const signature of signatures) {
      const by = [key, ours.publicKey].find(({ name }) => name === signature?.name);
      expect(by?.verify(message, signature as never)).toBe(true);
    }
    expect(signatures).toContainEqual(ours.sign(message));
  });

  test("a secret key of Nix, whose public key `key public` tells", async () => {
    await nix.output("nix-store", "--generate-binary-cache-key", "nix-2", secretFile, publicFile);
    const printed = await new TestStore().run(["key", "public"], {
      input: readFileSync(secretFile),
    });
    expect(printed.stdout).toBe(`${readFileSync(publicFile, "utf8").trimEnd()}\n`);
  });
});

describe.skipIf(nixObstacle !== undefined)("What we signed Nix takes:", () => {
  const key = SecretKey.generate("tvix_store+1");
  const dependency = StorePath.from(Buffer.alloc(20, 1), "dependency");
  const another = StorePath.from(Buffer.alloc(20, 2), "another");
  const path = StorePath.from(Buffer.alloc(20, 3), "signed");
  let cache: BinaryCache;

  test("a path with references, one of them itself, in any order", async () => {
    const nar = await new RealNix().dump(tree);
    cache = new BinaryCache();
    for (const storePath of [dependency, another]) cache.add({ storePath, nar, signWith: key });
    cache.add({ storePath: path, nar, references: [path, another, dependency], signWith: key });
    const nix = strictNix(key.publicKey);
    await nix.output("nix", "copy", "--from", cache.url(), String(path));
    const infos = await nix.pathInfos();
    expect(infos.map((info) => info.path).sort()).toEqual(
      [dependency, another, path].map(String).sort(),
    );
    const signed = infos.find((info) => info.path === String(path));
    expect(signed?.references).toHaveLength(3);
    await nix.output("nix", "store", "verify", "--all");
  });

  test("but not when it trusts another key of the same name", async () => {
    const { publicKey } = SecretKey.generate(key.name);
    const copy = strictNix(publicKey).output("nix", "copy", "--from", cache.url(), String(path));
    await expect(copy).rejects.toThrow("lacks a valid signature");
  });

  test("what import signs with --secret-key-file", async () => {
    const secret = join(folder, "import-key");
    writeFileSync(secret, `${key.reveal()}\n`);
    const store = new TestStore();
    const [info] = JSON.parse(
      await store.output("import", "--json", "--secret-key-file", secret, tree),
    );
    const message = fingerprint({
      storePath: StorePath.parseAbsolute(info.path),
      narSha256: parseHash(info.narHash).digest,
      narSize: BigInt(info.narSize),
      references: [],
    });
    const signature = readSignature(info.signatures[0]);
    expect(signature).toEqual(key.sign(message));
  });
});

describe.skipIf(nixObstacle !== undefined)("Store paths are those of Nix:", () => {
  const nix = new RealNix();

  test.each(
    HASH_ALGORITHMS.flatMap(
      (algorithm) =>
        [
          [algorithm, "flat"],
          [algorithm, "nar"],
        ] as const,
    ),
  )("nix-store --add-fixed %s, %s", async (algorithm, method) => {
    const source = method === "flat" ? file.replace(" ", "-") : tree;
    if (method === "flat") writeFileSync(source, readFileSync(file));
    const flags = method === "flat" ? [] : ["--recursive"];
    const added = (
      await nix.output("nix-store", "--add-fixed", ...flags, algorithm, source)
    ).trimEnd();
    const content = method === "flat" ? readFileSync(source) : await nix.dump(source);
    const ca: ContentAddress = { method, algorithm, digest: digestOf(algorithm, content) };
    const name = method === "flat" ? "a-file" : "tree";
    expect(String(contentAddressedPath(ca, name, []))).toBe(added);
    const [info] = await nix.pathInfos(added);
    expect(info?.ca).toBe(formatContentAddress(ca));
    expect(parseContentAddress(info?.ca ?? "")).toEqual(ca);
  });

  test("texts, with and without references", async () => {
    const content = "some text";
    const text = await nix.addText("text", content);
    const more = await nix.addText("more", "more text");
    const both = await nix.addText("both", "see ", text, more);
    const ca = (of: string): ContentAddress => ({
      method: "text",
      algorithm: "sha256",
      digest: digestOf("sha256", Buffer.from(of)),
    });
    expect(String(contentAddressedPath(ca(content), "text", []))).toBe(text);
    const references = [more, text].map((path) => StorePath.parseAbsolute(path));
    expect(String(contentAddressedPath(ca(`see ${text}${more}`), "both", references))).toBe(both);
  });

  test("those it takes unsigned, which it does only when content and path agree", async () => {
    const flatNar = await nix.dump(file);
    const nar = await nix.dump(tree);
    const cache = new BinaryCache();
    const add = (ca: ContentAddress, of: Uint8Array, references: StorePath[] = []): string => {
      const storePath = contentAddressedPath(ca, `${ca.method}-${ca.algorithm}`, references);
      cache.add({ storePath, nar: of, references, ca });
      return String(storePath);
    };
    const dependency = add(
      { method: "nar", algorithm: "sha512", digest: digestOf("sha512", nar) },
      nar,
    );
    const references = [StorePath.parseAbsolute(dependency)];
    const content = readFileSync(file);
    const paths = [
      ...HASH_ALGORITHMS.flatMap((algorithm) => [
        add({ method: "flat", algorithm, digest: digestOf(algorithm, content) }, flatNar),
        add({ method: "nar", algorithm, digest: digestOf(algorithm, nar) }, nar),
      ]),
      add({ method: "nar", algorithm: "sha256", digest: digestOf("sha256", nar) }, nar, references),
    ];
    const strict = strictNix();
    await strict.output("nix", "copy", "--from", cache.url(), ...paths);
    const taken = (await strict.pathInfos()).map(({ path }) => path);
    expect(taken.sort()).toEqual([...new Set(paths)].sort());

    // Were it careless, the above would show nothing.
    const wrong = { method: "nar", algorithm: "sha256", digest: Buffer.alloc(32, 1) } as const;
    const refused = strict.output("nix", "copy", "--from", cache.url(), add(wrong, nar));
    await expect(refused).rejects.toThrow("mismatch");
  });

  test.each([0, 1])("content that refers to itself, and to %i others", async (count) => {
    const source = join(folder, "self");
    const unknown = StorePath.from(Buffer.alloc(20, 9), "self");
    const text = StorePath.parseAbsolute(await nix.addText("text", "some text"));
    const others = count === 0 ? [] : [text];
    writeFileSync(source, `I am ${unknown}, beside ${others}, and again ${unknown}/bin`);
    const before = await nix.dump(source);
    const hasher = new ModuloHasher("sha256", Buffer.from(unknown.basename.slice(0, 32)));
    hasher.update(before);
    const ca: ContentAddress = { method: "nar", algorithm: "sha256", digest: hasher.digest() };
    const path = contentAddressedPath(ca, "self", others, true);
    const nar = before.toString("latin1").replaceAll(unknown.basename, path.basename);

    const cache = new BinaryCache();
    await nix.output("nix", "copy", "--to", cache.url(), String(text));
    const references = [path, ...others];
    cache.add({ storePath: path, nar: Buffer.from(nar, "latin1"), references, ca });
    const strict = strictNix();
    await strict.output("nix", "copy", "--from", cache.url(), String(path));
    const [info] = await strict.pathInfos(String(path));
    expect(info?.ca).toBe(formatContentAddress(ca));
    expect([...(info?.references ?? [])].sort()).toEqual(references.map(String).sort());
  });

  test("what Nix makes content-addressed of content that refers to itself", async () => {
    const source = join(folder, "self");
    const before = StorePath.from(Buffer.alloc(20, 9), "self");
    writeFileSync(source, `I am ${before}, and again ${before}/bin`);
    const nar = await nix.dump(source);
    const hasher = new ModuloHasher("sha256", Buffer.from(before.basename.slice(0, 32)));
    hasher.update(nar);
    const ca: ContentAddress = { method: "nar", algorithm: "sha256", digest: hasher.digest() };

    const key = SecretKey.generate("k");
    const cache = new BinaryCache();
    cache.add({ storePath: before, nar, references: [before], signWith: key });
    const strict = strictNix(key.publicKey);
    await strict.output("nix", "copy", "--from", cache.url(), String(before));
    const command = ["store", "make-content-addressed", "--json", String(before)];
    expect(JSON.parse(await strict.output("nix", ...command)).rewrites).toEqual({
      [String(before)]: String(contentAddressedPath(ca, "self", [], true)),
    });
  });
});
