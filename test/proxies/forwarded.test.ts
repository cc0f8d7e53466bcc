// The facts that proxies give of a client, applied or not: the request that apps get, for each pair of headers and peers.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Headers,
  headerValues,
  Repeated,
  type RequestHead,
  repeatedOf,
  SallyportError,
} from "../../src/exchange/index.ts";
import { FORWARDED_FIELDS, type ForwardedHeader, forwarding } from "../../src/proxies/forwarded.ts";
import { parseTrust, type Trusted, type TrustRule, trustOf } from "../../src/proxies/trust.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const trusting = (...texts: string[]): Trusted =>
  trustOf(texts.map((text) => parseTrust(text) as TrustRule)) as Trusted;

/** Proxies of ours; the exchange comes from 127.0.0.1. */
const OURS = ["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"];

interface Setting {
  readonly trust?: readonly string[];
  readonly names?: readonly ForwardedHeader[];
  readonly target?: string;
  readonly mount?: string;
}

/** The exchange after its headers were looked at. `lines`: "name: value". */
function applied(lines: readonly string[], setting: Setting = {}): RecordedExchange {
  const { trust = OURS, names = FORWARDED_FIELDS, target = "/a?b", mount = "" } = setting;
  const headers = ["Host", "inner:8000", ...lines.flatMap((line) => line.split(/: ?(.*)/s).slice(0, 2))];
  const exchange = new RecordedExchange({ headers, authority: "inner:8000", target, mount });
  forwarding(trusting(...trust), names)(exchange);
  return exchange;
}

const requestOf = (lines: readonly string[], setting?: Setting): RequestHead =>
  applied(lines, setting).request;

/** Client, scheme, host, and the port that was reached: "203.0.113.9 1 https shop.example 443". */
const told = (lines: readonly string[], setting?: Setting): string => {
  const { remote, scheme, authority, local, headers } = requestOf(lines, setting);
  assert.deepEqual(headerValues(headers, "host"), [authority], "the Host header says the same");
  return `${remote.address} ${remote.port} ${scheme} ${authority} ${local.port}`;
};

const refused = (lines: readonly string[], pattern: RegExp, setting?: Setting): void => {
  assert.throws(
    () => applied(lines, setting),
    (error) => {
      assert.ok(error instanceof SallyportError);
      assert.equal(error.status, 400);
      assert.match(error.message, pattern);
      return true;
    },
    lines.join(),
  );
};

const UNTOUCHED = "127.0.0.1 50000 http inner:8000 8000";

describe("X-Forwarded-*", () => {
  for (const [lines, expected] of [
    [["X-Forwarded-For: 203.0.113.9"], "203.0.113.9 0 http inner:8000 8000"],
    [["X-Forwarded-For: 203.0.113.9:4711"], "203.0.113.9 4711 http inner:8000 8000"],
    [["X-Forwarded-For: [2001:DB8::9]:4711"], "2001:db8::9 4711 http inner:8000 8000"],
    [["X-Forwarded-For: 2001:db8:0::9"], "2001:db8::9 0 http inner:8000 8000"],
    [["X-Forwarded-For: ::ffff:203.0.113.9"], "203.0.113.9 0 http inner:8000 8000"],
    // From the right over trusted hops; what is further left anybody may have written.
    [["X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7"], "203.0.113.9 0 http inner:8000 8000"],
    [["X-Forwarded-For: 10.0.0.9, 6.6.6.6"], "6.6.6.6 0 http inner:8000 8000"],
    [["X-Forwarded-For: <script>, 203.0.113.9"], "203.0.113.9 0 http inner:8000 8000"],
    [
      ["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 203.0.113.9 ,10.0.0.7,"],
      "203.0.113.9 0 http inner:8000 8000",
    ],
    [["X-Forwarded-For: 10.0.0.8, 10.0.0.7"], "10.0.0.8 0 http inner:8000 8000"],
    [["X-Forwarded-For: 2001:db8:1::5"], "2001:db8:1::5 0 http inner:8000 8000"],
    // Who says nothing of its client is the last that is known.
    [["X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.7"], "10.0.0.7 0 http inner:8000 8000"],
    [["X-Forwarded-For: 1.2.3.4.5"], UNTOUCHED],
    [["X-Forwarded-For: "], UNTOUCHED],
    // Scheme, host and port.
    [["X-Forwarded-Proto: https"], "127.0.0.1 50000 https inner:8000 8000"],
    [["X-Forwarded-Proto: WSS", "X-Forwarded-Host: shop.example"], "127.0.0.1 50000 https shop.example 443"],
    [["X-Forwarded-Host: shop.example"], "127.0.0.1 50000 http shop.example 80"],
    [["X-Forwarded-Host: [2001:db8::1]"], "127.0.0.1 50000 http [2001:db8::1] 80"],
    [["X-Forwarded-Host: shop.example:8443"], "127.0.0.1 50000 http shop.example:8443 8443"],
    [
      ["X-Forwarded-Host: shop.example", "X-Forwarded-Port: 8443"],
      "127.0.0.1 50000 http shop.example:8443 8443",
    ],
    [
      ["X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example", "X-Forwarded-Port: 443"],
      "127.0.0.1 50000 https shop.example 443",
    ],
    [
      ["X-Forwarded-Host: shop.example:81", "X-Forwarded-Port: 80"],
      "127.0.0.1 50000 http shop.example:81 81",
    ],
    // One value for each hop: that of the client's counts.
    [
      ["X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7", "X-Forwarded-Proto: http, https, http"],
      "203.0.113.9 0 https inner:8000 8000",
    ],
    [
      ["X-Forwarded-For: 203.0.113.9, 10.0.0.7", "X-Forwarded-Host: shop.example, inner"],
      "203.0.113.9 0 http shop.example 80",
    ],
    [["X-Forwarded-Proto: https, https"], "127.0.0.1 50000 https inner:8000 8000"],
  ] as const)
    test(`${lines.join("; ")} leads to ${expected}`, () => assert.equal(told(lines), expected));

  test("of a Unix socket, as nginx writes it, a hop is trusted when Unix sockets are", () => {
    const lines = ["X-Forwarded-For: 203.0.113.9, unix:"];
    assert.match(told(lines, { trust: ["127.0.0.1", "unix:"] }), /^203\.0\.113\.9 /);
    assert.match(told(lines), /^ 0 /);
  });

  test("with * the client is the first that is named", () => {
    assert.match(told(["X-Forwarded-For: 6.6.6.6, 203.0.113.9"], { trust: ["*"] }), /^6\.6\.6\.6 /);
  });

  test("what cannot be believed is refused: schemes, hosts and ports that are none, values that fit no hop", () => {
    for (const proto of ["ftp", "on", "constructor", "__proto__"])
      refused([`X-Forwarded-Proto: ${proto}`], /scheme/);
    refused(["X-Forwarded-Proto: http, https"], /x-forwarded-proto has several values/);
    refused(["X-Forwarded-Host: shop.example/path"], /malformed host/);
    refused(["X-Forwarded-Host: user@shop.example"], /malformed host/);
    refused(["X-Forwarded-Host: shop example"], /malformed host/);
    refused(["X-Forwarded-Host: a, b"], /x-forwarded-host has several values/);
    for (const port of ["0", "65536", "-1", "80a", "8 0"]) refused([`X-Forwarded-Port: ${port}`], /port/);
  });
});

describe("Forwarded", () => {
  for (const [lines, expected] of [
    [["Forwarded: for=203.0.113.9"], "203.0.113.9 0 http inner:8000 8000"],
    [
      ["Forwarded: For=203.0.113.9;Proto=HTTPS;Host=shop.example;By=_x"],
      "203.0.113.9 0 https shop.example 443",
    ],
    [['Forwarded: for="203.0.113.9:4711"'], "203.0.113.9 4711 http inner:8000 8000"],
    [
      ['Forwarded: for="[2001:DB8::9]:4711"; host="shop.example:81"'],
      "2001:db8::9 4711 http shop.example:81 81",
    ],
    [['Forwarded: for="[2001:db8::9]"'], "2001:db8::9 0 http inner:8000 8000"],
    [['Forwarded: for="203.0.113.9:_hidden"'], "203.0.113.9 0 http inner:8000 8000"],
    [['Forwarded: for="20\\3.0.113\\.9"'], "203.0.113.9 0 http inner:8000 8000"],
    // A quoted string may hold what otherwise ends an element.
    [['Forwarded: secret=", for=6.6.6.6;";for=203.0.113.9'], "203.0.113.9 0 http inner:8000 8000"],
    [['Forwarded: secret="\\", for=6.6.6.6";for=203.0.113.9'], "203.0.113.9 0 http inner:8000 8000"],
    [["Forwarded: for=6.6.6.6, for=203.0.113.9, for=10.0.0.7"], "203.0.113.9 0 http inner:8000 8000"],
    [
      ["Forwarded: for=6.6.6.6,for=203.0.113.9", "Forwarded: for=10.0.0.7"],
      "203.0.113.9 0 http inner:8000 8000",
    ],
    [
      ["Forwarded: for=203.0.113.9;proto=https, for=10.0.0.7;proto=http"],
      "203.0.113.9 0 https inner:8000 8000",
    ],
    // The proxy nearest to the client says nothing of the host; the next one does.
    [["Forwarded: for=203.0.113.9, for=10.0.0.7;host=shop.example"], "203.0.113.9 0 http shop.example 80"],
    // Not trusted any more: anybody may have written it.
    [["Forwarded: for=6.6.6.6;host=evil.example, for=203.0.113.9"], "203.0.113.9 0 http inner:8000 8000"],
    [["Forwarded: for=unknown;proto=https"], "127.0.0.1 50000 https inner:8000 8000"],
    [["Forwarded: for=203.0.113.9, for=_gazonk, for=10.0.0.7"], "10.0.0.7 0 http inner:8000 8000"],
    [["Forwarded: proto=https"], "127.0.0.1 50000 https inner:8000 8000"],
    [["Forwarded: , for=203.0.113.9;;, ,"], "203.0.113.9 0 http inner:8000 8000"],
    [["Forwarded: "], UNTOUCHED],
  ] as const)
    test(`${lines.join("; ")} leads to ${expected}`, () => assert.equal(told(lines), expected));

  test("what breaks the grammar is refused, wherever it stands: it may hide what follows", () => {
    for (const line of [
      'for="203.0.113.9',
      'for="6.6.6.6, for=203.0.113.9',
      "for=",
      "for",
      "=203.0.113.9",
      "for =203.0.113.9",
      "for= 203.0.113.9",
      "for=203.0.113.9 for=10.0.0.7",
      'for="203.0.113.9"x',
      "for=[2001:db8::9]",
      'for="2001:db8::9"',
      "for=203.0.113.9:80",
      'for="203.0.113.9:65536"',
      "for=203.0.113",
      "for=client.example",
      'for=""',
      "for=203.0.113.9;for=6.6.6.6",
      "for=203.0.113.9/proto=https",
    ])
      refused([`Forwarded: ${line}`], /Forwarded/);
  });

  test("a host or a scheme that is none is refused", () => {
    refused(['Forwarded: host="a/b"'], /malformed host/);
    refused(['Forwarded: host=""'], /malformed host/);
    refused(["Forwarded: proto=gopher"], /scheme/);
  });
});

describe("both kinds of headers", () => {
  test("they may say the same", () => {
    const lines = [
      "Forwarded: for=203.0.113.9;proto=https;host=Shop.example",
      "X-Forwarded-For: 203.0.113.9",
      "X-Forwarded-Proto: HTTPS",
      "X-Forwarded-Host: shop.example",
    ];
    assert.equal(told(lines), "203.0.113.9 0 https shop.example 443");
  });

  test("where they contradict each other, the client wrote one of them, and is refused", () => {
    refused(
      ["Forwarded: for=6.6.6.6", "X-Forwarded-For: 203.0.113.9"],
      /contradict each other about the client/,
    );
    refused(["Forwarded: for=203.0.113.9;host=evil", "X-Forwarded-For: 203.0.113.9"], /about the host/);
    refused(
      ["Forwarded: for=203.0.113.9", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"],
      /proto/,
    );
  });

  test("where the operator names headers, the others are not applied, and no app sees them", () => {
    const lines = [
      "Forwarded: for=6.6.6.6",
      "X-Forwarded-For: 203.0.113.9",
      "X-Forwarded-Host: evil.example",
    ];
    const { remote, headers, authority } = requestOf(lines, { names: ["x-forwarded-for"] });
    assert.equal(remote.address, "203.0.113.9");
    assert.equal(authority, "inner:8000");
    assert.deepEqual(headers, ["Host", "inner:8000", "X-Forwarded-For", "203.0.113.9"]);
    assert.equal(requestOf(lines, { names: ["forwarded"] }).remote.address, "6.6.6.6");
  });
});

describe("X-Forwarded-Prefix", () => {
  const names: readonly ForwardedHeader[] = ["x-forwarded-prefix"];
  const prefixed = (prefix: string, setting: Setting = {}) => {
    const { request, mount } = applied([`X-Forwarded-Prefix: ${prefix}`], { names, ...setting });
    return `${mount} ${request.path} ${request.target}`;
  };

  test("is where the app is mounted, once the operator asks for it", () => {
    assert.equal(prefixed("/shop"), "/shop /shop/a /shop/a?b");
    assert.equal(prefixed("/shop/v1.2/"), "/shop/v1.2 /shop/v1.2/a /shop/v1.2/a?b");
    assert.equal(prefixed("/shop", { target: "/in/a", mount: "/in" }), "/shop/in /shop/in/a /shop/in/a");
    assert.equal(prefixed("/"), " /a /a?b");
    assert.equal(prefixed("/shop", { target: "*" }), " * *");
  });

  test("is otherwise not applied, and no app sees it", () => {
    const { request, mount } = applied(["X-Forwarded-Prefix: /shop"]);
    assert.equal(mount + request.target, "/a?b");
    assert.deepEqual(request.headers, ["Host", "inner:8000"]);
  });

  test("that leads elsewhere, or would have to be escaped, is refused", () => {
    for (const prefix of [
      "//evil.example",
      "shop",
      "/a/../b",
      "/.",
      "/a//b",
      "/a?b",
      "/a b",
      '/"',
      "/<b>",
      "/a%2f",
      "/\\x",
    ])
      refused([`X-Forwarded-Prefix: ${prefix}`], /prefix/, { names });
    refused([`X-Forwarded-Prefix: /${"x".repeat(2_000)}`], /prefix/, { names });
  });
});

describe("L4: an untrusted peer", () => {
  const setting = { trust: ["10.0.0.0/8"] };
  const LINES = [
    "Forwarded: for=6.6.6.6;host=evil.example",
    "X-Forwarded-For: 6.6.6.6",
    "x-forwarded-proto: https",
    "X-Forwarded-Host: evil.example",
    "X-FORWARDED-PORT: 1",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Server: evil",
    "X-Forwarded-Client-Cert: evil",
    "X_Forwarded_For: 6.6.6.6",
    "X-Real-IP: 6.6.6.6",
  ];

  test("is not believed", () => assert.equal(told(LINES, setting), UNTOUCHED));

  test("cannot make an app believe it", () => {
    const { headers } = requestOf([...LINES, "X-Other: X-Forwarded-For", "Forwarded-Not: 1"], setting);
    const expected: Headers = ["Host", "inner:8000", "X-Other", "X-Forwarded-For", "Forwarded-Not", "1"];
    assert.deepEqual(headers, expected);
  });

  test("may say what it likes in them: nothing is refused", () => {
    assert.equal(told(['Forwarded: for="', "X-Forwarded-Host: a/b"], setting), UNTOUCHED);
  });
});

test("a trusted proxy's headers reach the app as they were sent", () => {
  const lines = ["X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Real-IP: 203.0.113.9", "X-Forwarded-Server: a"];
  assert.deepEqual(
    requestOf(lines).headers.slice(2),
    lines.flatMap((line) => line.split(": ")),
  );
});

test("a request without such headers is not touched at all", () => {
  const exchange = new RecordedExchange({ headers: ["Host", "localhost", "X-Other", "1", "From", "a"] });
  const { request } = exchange;
  forwarding(trusting(...OURS), FORWARDED_FIELDS)(exchange);
  assert.equal(exchange.request, request);
});

test("a host is added where the request had none, as in HTTP/1.0", () => {
  const exchange = new RecordedExchange({ headers: ["X-Forwarded-Host", "shop.example"], authority: "" });
  forwarding(trusting(...OURS), FORWARDED_FIELDS)(exchange);
  assert.deepEqual(exchange.request.headers, ["Host", "shop.example", "X-Forwarded-Host", "shop.example"]);
});

test("the TLS of the proxy's connection is not taken for the client's", () => {
  const exchange = new RecordedExchange({ headers: ["Host", "localhost", "X-Forwarded-For", "203.0.113.9"] });
  const tls = { protocol: "TLSv1.3", cipher: "", serverName: "", certificate: "", client: undefined };
  exchange.request = { ...exchange.request, tls };
  forwarding(trusting(...OURS), FORWARDED_FIELDS)(exchange);
  assert.equal(exchange.request.tls, undefined);
});

describe("requests that repeat on a connection", () => {
  /** `targets`, one after the other, with the same fields, as a listener gives them; and how often somebody was asked. */
  function repeatedly(lines: readonly string[], targets: readonly string[], setting: Setting = {}) {
    const { trust = OURS, names = FORWARDED_FIELDS } = setting;
    const headers = ["Host", "inner:8000", ...lines.flatMap((line) => line.split(/: ?(.*)/s).slice(0, 2))];
    const { request: first } = new RecordedExchange({ headers, authority: "inner:8000" });
    const repeated = new Repeated(first);
    let asked = 0;
    const honour = forwarding((peer) => {
      asked++;
      return trusting(...trust)(peer);
    }, names);
    const requests = targets.map((target) => {
      const exchange = new RecordedExchange({ target });
      exchange.request = {
        ...first,
        target,
        path: exchange.request.path,
        query: exchange.request.query,
        repeated,
      };
      honour(exchange);
      return { ...exchange.request, mount: exchange.mount };
    });
    return { requests, asked: () => asked };
  }

  for (const [what, lines] of [
    [
      "everything is said",
      ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.example"],
    ],
    ["a prefix is said", ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Prefix: /shop"]],
    ["what is ignored is taken away", ["X-Forwarded-Prefix: /shop", "X-Forwarded-For: 203.0.113.9"]],
    ["nothing is said", ["User-Agent: curl"]],
  ] as const)
    test(`each is what it would be by itself where ${what}`, () => {
      const names =
        what === "a prefix is said" ? [...FORWARDED_FIELDS, "x-forwarded-prefix" as const] : FORWARDED_FIELDS;
      const { requests } = repeatedly(lines, ["/1?a", "*", "/2?b"], { names });
      for (const { target, path, query, mount, repeated, ...rest } of requests) {
        const alone = applied(lines, { target: path === "*" ? "*" : `/${target.split("/").at(-1)}`, names });
        assert.deepEqual(
          { tls: undefined, target, path, query, mount, ...rest },
          { tls: undefined, ...alone.request, mount: alone.mount },
        );
      }
    });

  test("those of a peer that is not trusted lose the same headers", () => {
    const { requests } = repeatedly(["X-Forwarded-For: 6.6.6.6", "Accept: */*"], ["/1", "/2"], {
      trust: ["10.0.0.1"],
    });
    for (const { headers, remote } of requests) {
      assert.deepEqual(headers, ["Host", "inner:8000", "Accept", "*/*"]);
      assert.equal(remote.address, "127.0.0.1");
    }
  });

  test("a proxy's word is read once, and what gateways keep is kept with it", () => {
    const { requests, asked } = repeatedly(["X-Forwarded-For: 203.0.113.9"], ["/1", "/2", "/3"]);
    const once = repeatedly(["X-Forwarded-For: 203.0.113.9"], ["/1"]).asked();
    assert.ok(once > 0);
    assert.equal(asked(), once);
    const kept = requests.map((request) => repeatedOf(request));
    assert.ok(kept[0]);
    assert.deepEqual(new Set(kept).size, 1);
  });
});
