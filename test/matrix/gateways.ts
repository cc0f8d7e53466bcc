// The columns of the matrix: every gateway, in front of an application that behaves as the suite says.
import { fileURLToPath } from "node:url";
import { fetchApp, nodeApp } from "../../src/apps/index.ts";
import type { Gateway } from "../../src/exchange/index.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { scgi } from "../../src/protocols/scgi/index.ts";
import { uwsgi } from "../../src/protocols/uwsgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { type Capability, fetchReference, nodeReference, referenceGateway } from "../../src/testing/index.ts";
import { applicationOf } from "./applications.ts";
import { matrixLog as log } from "./log.ts";
import type { Scope } from "./scope.ts";

export interface Column {
  /** What is missing on purpose. */
  readonly lacks: readonly Capability[];
  open(scope: Scope): Promise<Gateway> | Gateway;
}

const APPS = fileURLToPath(new URL("../apps/conformance", import.meta.url));

/** CGI and what came of it: no interim responses, no trailers, and a body must have a length (RFC 3875, 4.1.2, 6). */
const WITHOUT_CHUNKS: readonly Capability[] = [
  "informs",
  "requestTrailers",
  "responseTrailers",
  "streamsChunks",
  "duplex",
];

/** And where the body is sent on before anybody has asked for it. */
const LIKE_CGI: readonly Capability[] = [...WITHOUT_CHUNKS, "lazyContinue"];

/** What a slow client leaves is kept for it, in a file, so that no application waits. */
export const BUFFERED: readonly Capability[] = [...LIKE_CGI, "holdsBack"];

export const GATEWAYS: Readonly<Record<string, Column>> = {
  exchange: { lacks: [], open: () => referenceGateway() },

  fetch: {
    // The Fetch standard normalises paths and methods, and knows neither trailers nor interim responses.
    lacks: ["anyPath", "bodyOnGet", "informs", "requestTrailers", "responseTrailers", "traceMethod"],
    open: () => fetchApp(fetchReference, { log }),
  },

  node: { lacks: [], open: () => nodeApp(nodeReference, { log }) },

  wsgi: {
    // PEP 3333: an application cannot learn that its client has left, nor send trailers; and workers see no slow body.
    lacks: [...WITHOUT_CHUNKS, "streamsUpload", "tellsLeaving", "holdsBack"],
    open: () => wsgi("app", { chdir: APPS, python: "python3", threads: 8, log }),
  },

  asgi: {
    // A scope has neither trailers of requests nor, a response, a reason phrase.
    lacks: ["requestTrailers", "exactReason"],
    open: () => asgi("asgi:application", { chdir: APPS, python: "python3", log }),
  },

  cgi: {
    lacks: [...BUFFERED, "checksFields"],
    open: () => cgi({ program: `${APPS}/program.py`, bufferBody: false, log }),
  },

  fastcgi: {
    lacks: BUFFERED,
    open: async (scope) =>
      fastcgi({ address: await applicationOf("fastcgi", scope), bufferBody: false, log }),
  },

  scgi: {
    lacks: BUFFERED,
    open: async (scope) => scgi({ address: await applicationOf("scgi", scope), bufferBody: false, log }),
  },

  uwsgi: {
    lacks: BUFFERED,
    open: async (scope) => uwsgi({ address: await applicationOf("uwsgi", scope), bufferBody: false, log }),
  },
};
