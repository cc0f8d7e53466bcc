// Answers in plain HTTP/1.1 for clients that do not get through TLS.
// Tested by test/sockets/tls/acceptor.test.ts.
import type { Socket } from "node:net";
import { errorHead, errorText, type SallyportError } from "../../exchange/index.ts";
import { timerDelay } from "../../exchange/wait.ts";

/** "A" to "Z", as a method of HTTP. No record of TLS begins so (22, or 128 in the hello of SSL 2). */
export const beginsLikeHttp = (bytes: Uint8Array): boolean =>
  bytes.length > 0 && (bytes[0] as number) >= 0x41 && (bytes[0] as number) <= 0x5a;

const REASONS: Readonly<Record<number, string>> = { 400: "Bad Request", 403: "Forbidden" };

/** Answers `error` and ends the connection; drops what the client still sends, for `patience` milliseconds at the most. */
export function answerPlainly(socket: Socket, error: SallyportError, patience: number): void {
  const { status, headers } = errorHead(error);
  const body = `${errorText(error)}${error.message}\n`;
  const fields = [...headers, "Content-Length", String(Buffer.byteLength(body)), "Connection", "close"];
  const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}\r\n`] : []));
  const timer = setTimeout(() => socket.destroy(), timerDelay(patience));
  socket.on("close", () => clearTimeout(timer));
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join("")}\r\n${body}`);
  socket.resume();
}
