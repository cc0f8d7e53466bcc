// Finds the endpoint of a request, asks the guard, and answers. Every answer but the metrics is JSON.
// Tested by test/admin/listener.test.ts.
import { refused } from "../control/answer.ts";
import { type Exchange, type Handler, SallyportError } from "../exchange/index.ts";
import { type AdminAnswer, type AdminParts, ENDPOINTS, type Endpoint, json } from "./endpoints.ts";
import type { AccessGuard } from "./guard.ts";

/** Never fails an exchange, so that a scraper with an old path does not fill the log. */
export const adminHandler =
  (source: AdminParts, guard: AccessGuard): Handler =>
  (exchange) => {
    const answered = answer(exchange, source, guard).catch((error) => refusal(SallyportError.from(error)));
    void answered.then(({ status, type, text, headers = [], stream }) =>
      stream
        ? stream(exchange)
        : exchange.respond(
            { status, reason: "", headers: ["Content-Type", type, "Cache-Control", "no-store", ...headers] },
            text,
          ),
    );
  };

async function answer(exchange: Exchange, source: AdminParts, guard: AccessGuard): Promise<AdminAnswer> {
  const { request } = exchange;
  const found = ENDPOINTS.filter(({ path }) => path.test(request.path));
  const method = request.method === "HEAD" ? "GET" : request.method;
  const endpoint = found.find((each) => each.method === method);
  const refused = guard.refusal(request);
  if (refused && !(endpoint?.open && isTokenMissing(refused))) throw refused;
  if (found.length === 0) throw new SallyportError("NOT_FOUND", `there are ${PATHS}`);
  if (!endpoint) return notAllowed(found);
  const [, ...parts] = endpoint.path.exec(request.path) ?? [];
  return endpoint.answer({ source, exchange, method, parts, knows: guard.knows(request) });
}

const PATHS =
  "GET /, /healthz, /readyz, /metrics, /status, /requests, /log, /events, /apps/NAME/stacks; " +
  "POST /reload, /apps/NAME/restart, /apps/NAME/scale; " +
  "GET, POST, DELETE /captures; GET /captures/ID, /captures/ID.json; POST /captures/ID/replay";

const isTokenMissing = ({ code }: SallyportError): boolean => code === "ERR_SALLYPORT_TOKEN_WANTED";

function notAllowed(found: readonly Endpoint[]): AdminAnswer {
  const allow = found.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  const error = new SallyportError("METHOD_NOT_ALLOWED", `this address answers ${allow}`);
  return { ...refusal(error), headers: ["Allow", allow] };
}

/** With the reason: the admin listener is for those who run the server. */
function refusal(error: SallyportError): AdminAnswer {
  const { status, value } = refused(error);
  const answer = json(status, value);
  return status === 401 ? { ...answer, headers: ["WWW-Authenticate", 'Bearer realm="sallyport"'] } : answer;
}
