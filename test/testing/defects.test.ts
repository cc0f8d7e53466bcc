// The suite finds what is wrong: gateways with one defect each, and the case that must notice.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  bytesOf,
  type Exchange,
  type Gateway,
  type Headers,
  type ResponseHead,
} from "../../src/exchange/index.ts";
import { referenceGateway, runSuite, suite } from "../../src/testing/index.ts";
import { type ServedGateway, serveGateway } from "../kit/serve-gateway.ts";

/** The reference application behind an exchange of which some parts are not what they should be. */
function defective(spoil: (exchange: Exchange) => Partial<Exchange>): Gateway {
  const inner = referenceGateway();
  return {
    handle(exchange) {
      inner.handle(new Proxy(exchange, handlerOf(spoil(exchange))));
    },
  };
}

function handlerOf(spoiled: Partial<Exchange>): ProxyHandler<Exchange> {
  return {
    get(exchange, name) {
      const value = name in spoiled ? spoiled[name as keyof Exchange] : exchange[name as keyof Exchange];
      return typeof value === "function" && !(name in spoiled) ? value.bind(exchange) : value;
    },
  };
}

/** `head` with each of the response's heads changed. */
const withHead = (change: (head: ResponseHead) => ResponseHead): Gateway =>
  defective((exchange) => ({
    respond: (head, body) => exchange.respond(change(head), body),
    start: (head) => exchange.start(change(head)),
  }));

const withRequest = (change: (request: Exchange["request"]) => Partial<Exchange["request"]>): Gateway =>
  defective(({ request }) => ({ request: { ...request, ...change(request) } }));

const without = (headers: Headers, name: string): string[] =>
  headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== name);

/** The defect, and a word of the name of a case that must fail. */
const DEFECTS: readonly [defect: string, noticed: RegExp, gateway: Gateway][] = [
  ["loses a repeated header", /each cookie keeps a field/, withHead(withoutSecondCookie)],
  ["answers 200 whatever the status", /each status 4xx/, withHead((head) => ({ ...head, status: 200 }))],
  ["forgets the reason", /reason phrase/, withHead((head) => ({ ...head, reason: "" }))],
  [
    "decodes a path twice",
    /decoded once only/,
    withRequest(({ path }) => ({ path: decodeURIComponent(path.replace(/%(?!25)/g, "%25")) })),
  ],
  ["loses the query", /a query arrives as it was written/, withRequest(() => ({ query: "" }))],
  [
    "lets X-Forwarded-Proto decide",
    /scheme is the one of the connection/,
    withRequest(({ headers }) => (headers.includes("X-Forwarded-Proto") ? { scheme: "https" } : {})),
  ],
  [
    "ends what should be cut",
    /fails in the middle of its body/,
    defective((exchange) => ({
      fail: (error) => (exchange.started ? exchange.end() : exchange.fail(error)),
    })),
  ],
  [
    "holds pieces back until the end",
    /a piece of a response arrives before/,
    defective((exchange) => {
      const held: Uint8Array[] = [];
      return {
        write: (chunk) => held.push(chunk) > 0,
        end: () => {
          for (const chunk of held) exchange.write(chunk);
          exchange.end();
        },
      };
    }),
  ],
  [
    "does not tell of the end",
    /left in the middle of the response/,
    defective(() => ({ whenClosed: () => {}, closed: false })),
  ],
  [
    "never holds back",
    /makes the application wait/,
    defective((exchange) => ({
      write(chunk) {
        exchange.write(chunk);
        return true;
      },
    })),
  ],
  [
    "shows its insides",
    /without its insides/,
    defective((exchange) => ({ fail: () => showStack(exchange) })),
  ],
  ["drops trailers", /trailers of a response/, defective((exchange) => ({ end: () => exchange.end() }))],
  ["drops interim responses", /informational response reaches/, defective(() => ({ inform: () => {} }))],
  [
    "loses the last byte of a large body",
    /response body of 1048576 bytes arrives/,
    defective((exchange) => ({
      respond: (head, body) =>
        exchange.respond(head, body.length > 65_537 ? bytesOf(body).subarray(0, -1) : body),
    })),
  ],
];

function withoutSecondCookie(head: ResponseHead): ResponseHead {
  const { headers } = head;
  const at = headers.indexOf("Set-Cookie");
  if (at < 0) return head;
  return { ...head, headers: [...headers.slice(0, at + 2), ...without(headers.slice(at + 2), "set-cookie")] };
}

function showStack(exchange: Exchange): void {
  const text = new Error("told to fail").stack ?? "";
  if (!exchange.started) exchange.respond({ status: 500, reason: "", headers: [] }, text);
}

describe("the suite notices a gateway that", () => {
  let listener: ServedGateway;
  for (const [defect, noticed, gateway] of DEFECTS) {
    describe(defect, () => {
      before(async () => {
        listener = await serveGateway(gateway);
      });
      after(() => listener.close());
      test(`by the case about ${noticed.source}`, async () => {
        const cases = suite.filter(({ name }) => noticed.test(name));
        assert.ok(cases.length > 0);
        const results = await runSuite({ url: listener.url, cases, deadline: 2_000 });
        assert.ok(
          results.every(({ verdict }) => verdict === "failed"),
          JSON.stringify(results),
        );
        assert.ok(results.every(({ complaints }) => complaints.length > 0));
      });
    });
  }
});
