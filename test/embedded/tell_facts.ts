// Writes what an application finds in its process, in the mode and on the CPython that the arguments name.
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { silentLog } from "../../src/exchange/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const [, , mode, python, symbol] = process.argv;

/** As where libraries have no variable `environ`. */
function hideEnviron(): void {
  const { load } = koffi;
  koffi.load = (...args) =>
    new Proxy(load(...args), {
      get(library, name) {
        if (name !== "symbol") return Reflect.get(library, name).bind(library);
        return (symbol: string, type: string) => {
          if (symbol === "environ") throw new Error("there is no environ");
          return library.symbol(symbol, type);
        };
      },
    });
}

if (symbol === "hidden") hideEnviron();
const alive = setInterval(() => {}, 1_000);
const gateway = wsgi("facts:app", {
  mode: mode as "daemon" | "embedded",
  python,
  chdir: fileURLToPath(new URL("../apps/embedded", import.meta.url)),
  env: { FACT_OF_THE_APP: "said by its configuration" },
});
await gateway.start?.();
const exchange = new RecordedExchange({ target: "/", log: silentLog });
gateway.handle(exchange);
process.stdout.write((await exchange.done).body);
await gateway.close?.(0);
clearInterval(alive);
