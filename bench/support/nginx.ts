/**
 * nginx, which serves files as quickly as anything does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export interface RunningServer {
  /** Without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * nginx with one worker, as ours is one process, serving the files below `root`; `folder` is for its own. With
 * `log`, that file gets a line for each answer: the bytes of its body, and what was asked for.
 */
export async function startNginx(
  root: string,
  folder: string,
  log?: string,
): Promise<RunningServer> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 256; }
http {
  log_format sent '$body_bytes_sent $uri'; access_log ${log === undefined ? "off" : `${log} sent`};
  sendfile on; tcp_nopush on; keepalive_requests 1000000;
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

export async function stopChild(child: ChildProcess): Promise<void> {
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
