// A Python application whose interface is not configured: its worker detects it, and requests are answered by that
// interface.
// Tested by test/protocols/asgi/workers.test.ts.
import { type Gateway, SallyportError } from "../exchange/index.ts";
import { type AsgiOnlyOptions, type AsgiOptions, asgiSpec } from "../protocols/asgi/index.ts";
import { type WsgiOnlyOptions, type WsgiOptions, wsgiSpec } from "../protocols/wsgi/index.ts";
import { INTERFACE_NAMES, type Interface, PythonApplication } from "../workers/index.ts";

/** The options of both interfaces. Those that the detected interface does not have are an error. */
export type CallableOptions = WsgiOptions & AsgiOptions;

const ONLY = {
  wsgi: ["threads", "bufferBody"] satisfies (keyof WsgiOnlyOptions)[],
  asgi: [
    "concurrency",
    "lifespan",
    "loop",
    "pathsend",
    "blockedTimeout",
    "drainTimeout",
  ] satisfies (keyof AsgiOnlyOptions)[],
} as const;

/** A gateway to the application that `app` names; its start detects whether it is WSGI or ASGI. */
export function callable(app: string, options: CallableOptions): Gateway {
  return new PythonApplication(app, options, [wsgiSpec(options), asgiSpec(options)], {
    onInterface: (found) => refuseOthers(app, options, found),
  });
}

function refuseOthers(app: string, options: CallableOptions, found: Interface): void {
  const other: Interface = found === "wsgi" ? "asgi" : "wsgi";
  const useless = ONLY[other].filter((name) => options[name] !== undefined);
  if (useless.length === 0) return;
  const names = useless.join(", ");
  const message = `${app} is written for ${INTERFACE_NAMES[found]}, and ${names} can be given for ${INTERFACE_NAMES[other]} apps only`;
  throw new SallyportError("CONFIG_INVALID", message);
}
