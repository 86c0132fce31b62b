import { directory, file, symlink, type Tree } from "./tree.js";

/**
 * Published fixtures: a tree, its NAR's length and SHA-256 (hex and nixbase32), and the hash part of the
 * store path that Nix imports it to under `name`. Computed from the definitions by an independent program;
 * the NAR hashes agree with the constants in the tests of the original implementations.
 */
export interface NarFixture {
  readonly title: string;
  readonly tree: Tree;
  readonly length: number;
  readonly sha256: string;
  readonly nixBase32: string;
  readonly name: string;
  readonly hash: string;
}

export const NAR_FIXTURES: readonly NarFixture[] = [
  {
    title: "a symlink",
    tree: symlink("/nix/store/somewhereelse"),
    length: 136,
    sha256: "097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1",
    nixBase32: "1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89",
    name: "symlink",
    hash: "11i0w7x0adl6iyydsilpl0nc8v1zc2m4",
  },
  {
    title: "a file that says Hello World!",
    tree: file("Hello World!"),
    length: 128,
    sha256: "03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040",
    nixBase32: "0h40zg6hakjv951nyhdad7mv9za56m3za5gnpiw5s1hbwcxzdrq3",
    name: "helloworld",
    hash: "vf9s1dz1a2nbnnilsxnaa3ri1c0m9kwg",
  },
  {
    title: "a folder with a folder, a file and a symlink",
    tree: directory({
      keep: directory({ ".keep": file("") }),
      aa: symlink("/nix/store/somewhereelse"),
      ".keep": file(""),
    }),
    length: 840,
    sha256: "ebd52279a8df024c9fd5718de4103bf5e760dc7f2cf49044ee7dea87ab16911a",
    nixBase32: "06li2smqgskxxr291x1cgzf61rzm7c8f93bisnglq0nzm1wj5mgb",
    name: "complicated",
    hash: "pngqdzggfqs4q7fg6iywqnlzcgsp85qr",
  },
  {
    title: "a file of one byte",
    tree: file(Buffer.from([1])),
    length: 120,
    sha256: "730850a811259dbf3a68dc2ee87a79aa6cae9f71375edf396f9d7a91fbe9134d",
    nixBase32: "0k8kx7xr2ylxdwwxypipf6gswv5ag5xfhbnwd0xbz79526l5023k",
    name: "onebyte",
    hash: "cxgxn5y76bbvjir9a32js042ycmn6qfh",
  },
  {
    title: "an empty folder",
    tree: directory({}),
    length: 96,
    sha256: "a50a5ab6d992f5598edd92105059fae9acfc192981e08bd88534c2167e92526a",
    nixBase32: "0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5",
    name: "emptydir",
    hash: "lllr7wi039bd69ihd6vfarlcz5j7v52d",
  },
  {
    title: "an empty file",
    tree: file(""),
    length: 112,
    sha256: "77ac62e2629d8e45f624589c0c8bf99e24b3a722349bf1e79bc186008534e246",
    nixBase32: "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p",
    name: "empty",
    hash: "lx5i78a4izwk2qj1nq8rdc07y8zrwy90",
  },
];
