// References to environment variables in configuration files.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references that the file is about
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NOWHERE } from "../../src/config/error-lines.ts";
import { loadConfig } from "../../src/config/file.ts";
import { expandVariables } from "../../src/config/variables.ts";
import { makeFolder } from "../kit/make-folder.ts";

const VARIABLES = { NAME: "shop", EMPTY: "", COUNT: "4", YES: "true" };

const TEXTS: readonly (readonly [string, string])[] = [
  ["${NAME}.example", "shop.example"],
  ["${NAME}-${NAME}", "shop-shop"],
  ["${MISSING:-other}", "other"],
  ["${EMPTY:-other}", "other"],
  ["${EMPTY}", ""],
  ["${MISSING:-}", ""],
  ["${MISSING:-a:-b $1}", "a:-b $1"],
  ["$${NAME} costs $5 and $NAME", "${NAME} costs $5 and $NAME"],
];

for (const [text, expanded] of TEXTS) {
  test(`${text} becomes ${JSON.stringify(expanded)}`, () =>
    assert.deepEqual(expandVariables({ a: [text] }, VARIABLES, NOWHERE), {
      value: { a: [expanded] },
      errors: [],
    }));
}

const write = (t: { after(end: () => void): void }, name: string, text: string): string => {
  const path = join(makeFolder(t), name);
  writeFileSync(path, text);
  return path;
};

test("a variable is a number, true or false where one is wanted, and a text elsewhere", async (t) => {
  const yaml = [
    "serverProcesses: ${COUNT}",
    "apps:",
    "  shop:",
    "    callable: ${NAME}:app",
    "    processes: ${COUNT}",
    "    pathsend: ${YES}",
    "    timeout: ${COUNT}",
    "    env: { N: '${COUNT}', Y: '${YES}' }",
    "",
  ].join("\n");
  const settings = await loadConfig(write(t, "site.yaml", yaml), VARIABLES);
  const app = settings.apps.shop as Record<string, unknown>;
  assert.equal(settings.serverProcesses, 4);
  assert.deepEqual(
    [app.callable, app.processes, app.pathsend, app.timeout, app.env],
    ["shop:app", 4, true, 4000, { N: "4", Y: "true" }],
  );
});

test("a number that is none is reported as it is elsewhere", async (t) => {
  const path = write(t, "site.yaml", "apps:\n  a:\n    wsgi: x:y\n    processes: ${NAME}\n");
  await assert.rejects(loadConfig(path, VARIABLES), {
    message: /site\.yaml:4: apps\.a\.processes: must be a number from 1/,
  });
});

for (const [name, text] of [
  ["site.yaml", "apps:\n  a:\n    static: ${FOLDR}\n    index: ${ x\n"],
  ["site.json", '{ "apps": {\n"a": {\n"static": "${FOLDR}",\n"index": "${ x" } } }'],
  ["site.toml", '[apps.a]\n\nstatic = "${FOLDR}"\nindex = "${ x"\n'],
] as const) {
  test(`${name}: what is not set, or not written properly, is an error with its key and line`, async (t) => {
    await assert.rejects(
      loadConfig(write(t, name, text), { FOLDER: "x" }),
      (error: Error & { detail?: string; code: string }) => {
        assert.equal(error.code, "ERR_SALLYPORT_CONFIG_INVALID");
        const [first = "", second = ""] = (error.detail ?? "").split("\n");
        assert.match(
          first,
          /:3: apps\.a\.static: the environment variable FOLDR is not set.*did you mean FOLDER/,
        );
        assert.match(second, /:4: apps\.a\.index: \$\{ x must be of the form/);
        return true;
      },
    );
  });
}

test("code is left as it is", async (t) => {
  const path = write(
    t,
    "site.mjs",
    'export default { apps: { a: { wsgi: "x:y", env: { A: "${NAME}" } } } };\n',
  );
  const { apps } = await loadConfig(path, VARIABLES);
  assert.deepEqual((apps.a as Record<string, unknown>).env, { A: "${NAME}" });
});
