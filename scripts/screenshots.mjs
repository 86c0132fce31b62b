// Takes the pictures in docs/images/: serves a small store made of what this machine has, and looks at it with
// Chromium. Run by `make screenshots`.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const IMAGES = fileURLToPath(new URL("../docs/images/", import.meta.url));
const DOCUMENTED = ["bash", "coreutils", "dpkg", "grep", "gzip", "perl", "sed", "tar"];

const folder = mkdtempSync(join(tmpdir(), "tvix-store-screenshots-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const key = join(folder, "key");
const environment = { ...process.env, TVIX_STORE_DIR: join(folder, "store") };

function tvix(...args) {
  return execFileSync(process.execPath, [CLI, ...args], { env: environment, encoding: "utf8" });
}

/** The store paths of trees, each a list of [place, content]: what is copied from the disk, linked to, or written. */
function add(trees) {
  const paths = Object.entries(trees).map(([name, entries]) => {
    for (const [place, { copy, link, text }] of Object.entries(entries)) {
      const at = join(folder, name, place);
      mkdirSync(join(at, ".."), { recursive: true });
      if (copy !== undefined) cpSync(copy, at, { recursive: true, dereference: true });
      if (link !== undefined) symlinkSync(link, at);
      if (text !== undefined) writeFileSync(at, text, { mode: 0o755 });
    }
    return join(folder, name);
  });
  return tvix("import", "--references", "auto", "--secret-key-file", key, ...paths).split("\n");
}

tvix("key", "generate", "cache.example.org-1", "-o", key);
const libraries = "/lib/x86_64-linux-gnu";
const [glibc] = add({
  "glibc-2.36": {
    "lib/libc.so.6": { copy: `${libraries}/libc.so.6` },
    "lib/libm.so.6": { copy: `${libraries}/libm.so.6` },
  },
});
const programs = ["cat", "cp", "date", "ls", "mv", "rm"];
const [bash, coreutils] = add({
  "bash-5.2.15": {
    "bin/bash": { copy: "/bin/bash" },
    "bin/sh": { link: "bash" },
    "lib/libc.so.6": { link: `${glibc}/lib/libc.so.6` },
  },
  "coreutils-9.1": {
    ...Object.fromEntries(programs.map((name) => [`bin/${name}`, { copy: `/bin/${name}` }])),
    lib: { link: `${glibc}/lib` },
  },
});
const greeting = `#!${bash}/bin/bash
# Greets whoever asks.
set -eu
echo "Hello, \${1:-world}! It is $(${coreutils}/bin/date +%A)."
`;
add({
  "hello-2.12.1": {
    "bin/hello": { text: greeting },
    "bin/hi": { link: "hello" },
    "share/doc": { copy: "/usr/share/doc/bash" },
  },
  ...Object.fromEntries(
    DOCUMENTED.map((name) => [`${name}-doc`, { doc: { copy: `/usr/share/doc/${name}` } }]),
  ),
});

const daemon = spawn(
  process.execPath,
  [CLI, "daemon", "-l", `unix:${join(folder, "socket")}`, "--http", "127.0.0.1:0"].concat([
    "--allow-upload",
    "--secret-key-file",
    key,
  ]),
  { env: environment, stdio: ["ignore", "ignore", "pipe"] },
);
let browser;
try {
  const port = await new Promise((resolve, reject) => {
    let said = "";
    daemon.on("exit", () => reject(new Error(`The daemon ended at once: ${said}`)));
    daemon.stderr.on("data", (piece) => {
      said += piece;
      const place = /^http on \S+:(\d+)$/m.exec(said);
      if (place) resolve(place[1]);
    });
  });
  const names = "command -v chromium || command -v chromium-browser || command -v google-chrome";
  const executablePath = execFileSync("sh", ["-c", names], { encoding: "utf8" }).trim();
  // What is served is shown under the name that it would have.
  const args = [
    "--disable-gpu",
    `--host-resolver-rules=MAP cache.example.org:80 127.0.0.1:${port}`,
  ];
  browser = await chromium.launch({ executablePath, args });
  mkdirSync(IMAGES, { recursive: true });
  await take("front-page", "/", { width: 900, height: 680 });
  await take("store-path", `/browse/${bash.split("/").at(-1)}`, { width: 900, height: 680 });
  await take("list-on-a-phone", "/browse/", { width: 360, height: 680, colorScheme: "dark" });
} finally {
  await browser?.close();
  daemon.kill();
}

async function take(name, path, { width, height, colorScheme = "light" }) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(`http://cache.example.org${path}`);
  await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  await page.close();
}
