// A real Python site behind the real command line, and the real clients that visit it.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serve } from "../kit/serve.ts";

const run = promisify(execFile);
const LIMITS = { timeout: 120_000, maxBuffer: 16 << 20 };

export const APPS: string = fileURLToPath(new URL("../apps/wsgi/", import.meta.url));

/** Serves `app` ("module:callable") from a folder of test/apps/wsgi, or any other, with the frameworks' Python. */
export const serveSite = (app: string, folder: string, ...args: string[]): Promise<Served> =>
  serve([app, "--chdir", folder, "--python", VENV_PYTHON, ...args]);

/** What curl prints. Fails when curl does, with its own words. */
export async function curl(...args: string[]): Promise<string> {
  return (await run("curl", ["--silent", "--show-error", "--max-time", "100", ...args], LIMITS)).stdout;
}

/** Runs a script of test/interop/clients with the frameworks' Python; gives the JSON that it prints. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows its script
export async function visit(script: string, ...args: string[]): Promise<any> {
  const path = fileURLToPath(new URL(`clients/${script}`, import.meta.url));
  return JSON.parse((await run(VENV_PYTHON, [path, ...args], LIMITS)).stdout);
}

/** The JSON of an answer; each test knows its shape. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows its shape
export const json = async (response: Promise<Response>): Promise<any> => (await response).json();

export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** A multipart upload of one file, in the field `file`. */
export function upload(name: string, data: string | Uint8Array<ArrayBuffer>, type = "text/plain"): FormData {
  const form = new FormData();
  form.append("file", new Blob([data], { type }), name);
  return form;
}
