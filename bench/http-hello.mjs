// Hello world through our HTTP/1.1 listener and through node:http, one after the other, with wrk; prints the ratio.
// node bench/http-hello.mjs [seconds]
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const HELLO = "Hello, world!\n";

const servers = {
  "node:http": () =>
    createHttpServer((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": HELLO.length });
      response.end(HELLO);
    }),
  sallyport: async () => {
    const { httpListener } = await import("../src/protocols/http1/index.ts");
    const { silentLog } = await import("../src/exchange/index.ts");
    const headers = ["Content-Type", "text/plain"];
    const handler = (exchange) => exchange.respond({ status: 200, reason: "", headers }, HELLO);
    const listener = httpListener({ handler, log: silentLog });
    return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => listener.accept(socket));
  },
};

async function serve(name) {
  const server = await servers[name]();
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
}

async function measure(name, seconds) {
  const child = fork(fileURLToPath(import.meta.url), [`--serve=${name}`]);
  const [port] = await once(child, "message");
  const url = `http://127.0.0.1:${port}/`;
  await run("wrk", ["-t1", "-c32", "-d1", url]);
  const { stdout } = await run("wrk", ["-t1", "-c32", `-d${seconds}`, url]);
  child.kill();
  await once(child, "exit");
  return Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)[1]);
}

const [argument = "3"] = process.argv.slice(2);
if (argument.startsWith("--serve=")) await serve(argument.slice("--serve=".length));
else {
  const rates = {};
  for (const name of Object.keys(servers)) {
    rates[name] = await measure(name, argument);
    console.log(`${name.padEnd(12)} ${Math.round(rates[name])} req/s`);
  }
  console.log(`ratio        ${(rates.sallyport / rates["node:http"]).toFixed(2)}`);
}
