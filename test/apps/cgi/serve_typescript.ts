// A CGI program that is ours: what QUERY_STRING says it does.
import type { Exchange, Handler } from "../../../src/exchange/index.ts";
import { SallyportError, silentLog } from "../../../src/exchange/index.ts";
import { serveCgi } from "../../../src/protocols/cgi/listener.ts";

const head = (...headers: string[]) => ({ status: 200, reason: "", headers });

async function echo(exchange: Exchange): Promise<void> {
  exchange.start(head("Content-Type", "application/octet-stream"));
  for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read())
    if (!exchange.write(piece)) await new Promise<void>((resolve) => exchange.whenDrained(resolve));
  exchange.end();
}

function abort(exchange: Exchange, ...headers: string[]): void {
  exchange.start(head(...headers));
  exchange.write(Buffer.from("half"));
  exchange.fail(new SallyportError("APP_ABORTED", "on purpose"));
}

function stream(exchange: Exchange): void {
  exchange.start(head());
  const more = (): void => {
    while (!exchange.closed && exchange.write(Buffer.alloc(65_536)));
    exchange.whenDrained(more);
  };
  more();
}

const DEEDS: Readonly<Record<string, Handler>> = {
  hello: (exchange) => exchange.respond(head("Content-Type", "text/plain"), `hello ${exchange.request.path}`),
  echo: (exchange) => void echo(exchange).catch((error) => exchange.fail(error)),
  print: (exchange) => {
    console.log("printed by the application");
    exchange.respond(head(), "clean");
  },
  proxy: (exchange) => exchange.respond(head(), `proxy ${process.env.HTTP_PROXY}`),
  cut: (exchange) => abort(exchange),
  cut_short: (exchange) => abort(exchange, "Content-Length", "9"),
  stream,
};

const handler: Handler = (exchange) => DEEDS[exchange.request.query]?.(exchange);
process.exitCode = await serveCgi({ handler, log: silentLog, nph: process.argv.includes("nph") });
