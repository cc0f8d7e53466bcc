// A Python application of which nobody has said what it is written for: its worker finds out by a look at it, and the
// interface found answers.
import { type Gateway, SallyportError } from "../exchange/index.ts";
import { type AsgiOnlyOptions, type AsgiOptions, asgiSpec } from "../protocols/asgi/index.ts";
import { type WsgiOnlyOptions, type WsgiOptions, wsgiSpec } from "../protocols/wsgi/index.ts";
import { INTERFACE_NAMES, type Interface, PythonApplication } from "../workers/index.ts";

/** The options of both interfaces. Those that the interface found has no use for are an error. */
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

/** A gateway to the application that `app` names, which is found out to be WSGI or ASGI when it starts. */
export function callable(app: string, options: CallableOptions): Gateway {
  return new PythonApplication(app, options, [wsgiSpec(options), asgiSpec(options)], {
    onInterface: (spoken) => refuseOthers(app, options, spoken),
  });
}

function refuseOthers(app: string, options: CallableOptions, found: Interface): void {
  const other: Interface = found === "wsgi" ? "asgi" : "wsgi";
  const useless = ONLY[other].filter((name) => options[name] !== undefined);
  if (useless.length === 0) return;
  const names = useless.join(", ");
  const message = `${app} is of ${INTERFACE_NAMES[found]}, and what is said of ${names} is for ${INTERFACE_NAMES[other]} only`;
  throw new SallyportError("CONFIG_INVALID", message);
}
