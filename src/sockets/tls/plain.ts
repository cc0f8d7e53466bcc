// What a server of HTTPS says to those who do not speak TLS with it, as far as they can be answered.
import type { Socket } from "node:net";
import { errorHead, errorText, type SallyportError } from "../../exchange/index.ts";

/** Of a method of HTTP: "A" to "Z". No record of TLS begins so (22, or 128 in the hello of SSL 2). */
export const beginsLikeHttp = (bytes: Uint8Array): boolean =>
  bytes.length > 0 && (bytes[0] as number) >= 0x41 && (bytes[0] as number) <= 0x5a;

const REASONS: Readonly<Record<number, string>> = { 400: "Bad Request", 403: "Forbidden" };

/** Answers `error` in HTTP/1.1 and ends the connection; what the client still sends is thrown away, but for so long only. */
export function answerPlainly(socket: Socket, error: SallyportError, patience: number): void {
  const { status, headers } = errorHead(error);
  const body = `${errorText(error)}${error.message}\n`;
  const fields = [...headers, "Content-Length", String(Buffer.byteLength(body)), "Connection", "close"];
  const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}\r\n`] : []));
  const timer = setTimeout(() => socket.destroy(), patience);
  socket.on("close", () => clearTimeout(timer));
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join("")}\r\n${body}`);
  socket.resume();
}
