/**
 * The real Chromium, headless, from where the system installs it.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Far beyond what it takes on a busy machine: a backstop. */
const LAUNCH_MS_MAX = 120_000;
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

const executablePath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find(isExecutable);

/** Why there is no browser to look with, or `undefined`. In CI there has to be one. */
export const chromiumObstacle: string | undefined =
  executablePath === undefined && process.env["CI"] !== "true"
    ? "there is no Chromium on PATH to look with"
    : undefined;

export class Chromium {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts it with an empty profile. */
  static async start(): Promise<Chromium> {
    if (executablePath === undefined) throw new Error("There is no Chromium on PATH");
    const browser = await chromium.launch({
      executablePath,
      args: ["--disable-gpu", "--disable-quic"],
      timeout: LAUNCH_MS_MAX,
    });
    return new Chromium(browser);
  }

  /** A window of its own, without cookies or cache; what goes wrong in it is in `complaints`. */
  async open(options: BrowserContextOptions = {}): Promise<BrowserWindow> {
    const context = await this.#browser.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    // Violations of a Content-Security-Policy are among these.
    page.on("console", (message) => {
      complaints.push(`${page.url()}: ${message.type()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
    page.on("dialog", async (dialog) => {
      complaints.push(`${page.url()}: dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
  }

  /** Ends it and all its windows, and removes what it wrote. */
  async close(): Promise<void> {
    await this.#browser.close();
  }
}

export interface BrowserWindow extends AsyncDisposable {
  readonly page: Page;
  /** What its console said, errors, dialogs. */
  readonly complaints: string[];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
