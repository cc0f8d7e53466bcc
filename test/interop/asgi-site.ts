// A real ASGI site behind the real command line. To see that a test asks for what is right, the same test runs against
// another server: `ASGI_REFERENCE=uvicorn node --import tsx --test test/interop/fastapi.test.ts` (or hypercorn).
import { fileURLToPath } from "node:url";
import { VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serve, serveBy } from "../kit/serve.ts";

export const SITES: string = fileURLToPath(new URL("../apps/asgi_sites/", import.meta.url));

const REFERENCE = process.env.ASGI_REFERENCE;
const PROGRAM = fileURLToPath(new URL("programs/reference_asgi.py", import.meta.url));

/** Serves `app` ("module:callable") from a folder of test/apps/asgi_sites, with the frameworks' Python. */
export function serveAsgi(app: string, folder: string, ...args: string[]): Promise<Served> {
  const target = [app, "--chdir", SITES + folder, ...args];
  if (REFERENCE) return serveBy([VENV_PYTHON, "-B", PROGRAM, REFERENCE, ...target]);
  return serve([...target, "--python", VENV_PYTHON]);
}

/** Skips what only we promise while another server is tried: `{ skip: onlyOurs() }`. */
export const onlyOurs = (): string | false => (REFERENCE ? `${REFERENCE} does not promise it` : false);
