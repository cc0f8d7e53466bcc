// Asks a running server over its control socket.
// Tested by test/control/commands.test.ts.
import { request } from "node:http";
import { SallyportError } from "../exchange/index.ts";
import { receivedError, type SentError } from "./sent-error.ts";

export interface Asked {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
}

/** Characters of an answer: the status of thousands of processes. */
const MOST = 4_194_304;

/** The answer at the socket `at`, once it is complete. Rejects with the server's own error, or CONTROL_UNREACHABLE. */
export function askServer(at: string, { method, path, body }: Asked): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: at, method, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MOST) response.destroy();
      });
      // A server that ends breaks the connection off.
      response.on("close", () => {
        const value = parsed(text);
        if (value === undefined) reject(unreachable(at, "the answer was cut"));
        else if (response.statusCode === 200) resolve(value);
        else reject(receivedError(value as SentError));
      });
      response.on("error", () => {});
    });
    asking.on("error", (error: NodeJS.ErrnoException) => reject(unreachable(at, reasonOf(error), error)));
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; is the server running, and was it started with this --control?",
  ECONNREFUSED: "the server that made it is no longer running",
  EACCES: "permission is missing; run this as the user of the server, or as root",
  ENOTSOCK: "it is no socket",
  ECONNRESET: "the server broke the connection off; it may be busy with others, try again",
};

const reasonOf = ({ code = "", message }: NodeJS.ErrnoException): string => REASONS[code] ?? message;

const unreachable = (at: string, why: string, cause?: Error): SallyportError =>
  new SallyportError("CONTROL_UNREACHABLE", `no answer at the control socket ${at}: ${why}`, { cause });
