// A real browser without a window: opens one page and stays on it until it is closed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Chromium {
  readonly #folder = mkdtempSync(join(tmpdir(), "sallyport-chromium-"));
  readonly #child: ChildProcess;
  #said = "";

  constructor(url: string) {
    const quiet = [
      "--no-first-run",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
    ];
    const here = ["--headless=new", "--no-sandbox", `--user-data-dir=${this.#folder}`];
    // The port keeps the browser open; no client connects to it.
    const args = [...here, ...quiet, "--ignore-certificate-errors", "--remote-debugging-port=0", url];
    const env = { ...process.env, HOME: this.#folder, DBUS_SESSION_BUS_ADDRESS: "disabled:" };
    this.#child = spawn("chromium", args, { detached: true, env, stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-4000);
    });
    process.once("exit", this.#kill);
  }

  /** Rejects with what it said when it ends by itself. */
  async ended(): Promise<never> {
    const [code, signal] = await once(this.#child, "exit");
    throw new Error(`chromium ended (${signal ?? code}):\n${this.#said}`);
  }

  async close(): Promise<void> {
    process.removeListener("exit", this.#kill);
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, "close");
      this.#kill();
      await closed;
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  /** With the processes that it has started. */
  readonly #kill = (): void => {
    try {
      process.kill(-(this.#child.pid ?? 0), "SIGKILL");
    } catch {
      // All of them have ended already.
    }
  };
}
