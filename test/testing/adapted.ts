// Three cases as tests of node:test, one of which fails: run by run.test.ts, which looks at what is printed.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before } from "node:test";
import { type Case, nodeReference, testSuite } from "../../src/testing/index.ts";

const server = createServer((req, res) => void nodeReference(req, res));
before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
after(() => server.close());

const answering = (name: string, status: number): Case => ({
  name,
  request: {},
  app: { kind: "answer", body: "hello" },
  expected: { status },
});

testSuite("adapted", {
  url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  lacks: ["mount"],
  cases: [
    answering("passes", 200),
    answering("fails", 201),
    { ...answering("is skipped", 200), needs: ["mount"] },
  ],
});
