// One handler, behind any server. As a program: served by node:http on a Unix socket.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const HELLO = "Hello, World!";

export default function hello(_request, response) {
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": HELLO.length });
  response.end(HELLO);
}

const [, program = "", socket] = process.argv;
if (import.meta.url === pathToFileURL(program).href) createServer(hello).listen(socket);
