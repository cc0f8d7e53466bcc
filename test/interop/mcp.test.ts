// A server of the Model Context Protocol (streamable HTTP) behind the whole server, with the client of the same library.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { serveAsgi } from "./asgi-site.ts";
import { visit } from "./site.ts";

describe("an MCP server", { skip: missing("py:mcp") }, () => {
  let site: Served;

  before(async () => {
    site = await serveAsgi("app:app", "mcp_site");
  });
  after(() => site?.stop());

  test("tools are listed and called, and progress is heard while a tool works", async () => {
    const { heard, ...seen } = await visit("mcp_tour.py", site.url);
    assert.deepEqual(seen, {
      tools: ["add", "count"],
      added: "42",
      counted: "counted to 8",
      beside: "2",
      face: "XII",
    });
    assert.deepEqual(
      heard,
      Array.from({ length: 8 }, (_, index) => [index + 1, 8, `step ${index + 1}`]),
    );
  });

  test("several clients at once each hear their own progress", async () => {
    const visits = await Promise.all([1, 2, 3].map(() => visit("mcp_tour.py", site.url)));
    assert.deepEqual(
      visits.map(({ heard }) => heard.length),
      [8, 8, 8],
    );
  });
});
