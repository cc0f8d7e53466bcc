// Makes a Request of the Fetch standard from an exchange, and refuses what no Request can express.
import { type Exchange, isToken, SallyportError } from "../exchange/index.ts";
import { acceptsLight } from "./fast-request.ts";
import { lightRequest } from "./fetch-light.ts";
import { carriesBody, type ExchangeRequest } from "./fetch-parts.ts";
import { originOf } from "./fetch-url.ts";
import { wholeRequest } from "./fetch-whole.ts";

/** Methods that are converted to capitals; all others stay as they are (Fetch, 2.2.1). */
const NORMALIZED: ReadonlySet<string> = new Set(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]);
/** Methods that no Request may have (ibid.). */
const FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Characters that no header value of a Request may have (ibid., 2.2.2). */
const BAD_VALUE = /[\0\r\n]|[^\0-\xff]/;

/**
 * The app's Request, an instance of the global class. `ip`, an addition, is the client's address. `signal` aborts when the client
 * leaves, or gets another answer. Throws a SallyportError: BAD_HOST, BAD_REQUEST, METHOD_NOT_ALLOWED.
 */
export function fetchRequest(exchange: Exchange): ExchangeRequest {
  const { request } = exchange;
  const method = methodOf(request.method);
  const origin = originOf(request);
  checkFields(request.headers);
  if (exchange.body.length !== 0 && !carriesBody(exchange, method)) exchange.body.discard();
  return (acceptsLight() ? lightRequest : wholeRequest)(exchange, origin, method);
}

function methodOf(method: string): string {
  if (NORMALIZED.has(method)) return method;
  const capitals = method.toUpperCase();
  if (FORBIDDEN.has(capitals))
    throw new SallyportError("METHOD_NOT_ALLOWED", `a fetch app cannot be asked with the method ${method}`);
  if (!isToken(method)) throw new SallyportError("BAD_REQUEST", "a method that no Request can have");
  return NORMALIZED.has(capitals) ? capitals : method;
}

function checkFields(fields: Exchange["request"]["headers"]): void {
  for (let i = 0; i < fields.length; i += 2)
    if (!isToken(fields[i] as string) || BAD_VALUE.test(fields[i + 1] as string))
      throw new SallyportError("BAD_REQUEST", "a header that no Request can have");
}
