/**
 * The two servers of one cache: ours, and nginx with the same cache as files.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CLI } from "../support/run.js";

export interface RunningServer {
  /** Without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** `tvix-store daemon --http` on the store in `folder`. */
export async function startOurs(folder: string): Promise<RunningServer> {
  const args = ["--store-dir", folder, "--http", "127.0.0.1:0", "-l", `unix:${folder}.socket`];
  const child = spawn(process.execPath, [CLI, "daemon", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const place = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on("line", (line) => {
      const found = /^http on (\S+)$/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on("exit", () => reject(new Error("The daemon ended at once")));
  });
  return { url: `http://${place}`, stop: () => stopChild(child) };
}

/** nginx with one worker, as ours is one process, serving the files below `root`. */
export async function startNginx(root: string, folder: string): Promise<RunningServer> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  open_file_cache max=10000;
  types { text/x-nix-narinfo narinfo; application/x-nix-nar nar; }
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`,
  );
  const child = spawn("nginx", ["-c", file, "-p", folder], {
    stdio: "inherit",
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
  });
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    if (child.exitCode !== null) throw new Error("nginx ended at once");
    try {
      await (await fetch(`${url}/nix-cache-info`)).text();
      return { url, stop: () => stopChild(child) };
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
