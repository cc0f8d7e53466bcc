// Which interpreter runs an application, and what is said where none can.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { findPython } from "../../src/workers/index.ts";
import { makeFolder } from "../kit/make-folder.ts";

const PATH = process.env.PATH ?? "";

/** An environment whose interpreter is a script; that is enough to be found. */
function environment(path: string, script = "#!/bin/sh\n"): string {
  mkdirSync(join(path, "bin"), { recursive: true });
  writeFileSync(join(path, "pyvenv.cfg"), "home = /gone/bin\n");
  writeFileSync(join(path, "bin", "python"), script, { mode: 0o755 });
  return join(path, "bin", "python");
}

const touch = (...path: string[]): void => writeFileSync(join(...path), "");

test("the active environment comes first, then those of the directory, then those of the projects around it", (t) => {
  const project = makeFolder(t);
  const directory = join(project, "apps", "shop");
  mkdirSync(directory, { recursive: true });
  touch(project, "pyproject.toml");
  const find = (env = {}): string => findPython({ directory, env: { PATH, ...env } });
  assert.match(find(), /\/python3$/);
  const outer = environment(join(project, ".venv"));
  assert.equal(find(), outer);
  const own = environment(join(directory, "venv"));
  assert.equal(find(), own);
  const active = environment(join(project, "active"));
  assert.equal(find({ VIRTUAL_ENV: join(project, "active") }), active);
  assert.equal(find({ VIRTUAL_ENV: join(project, "removed") }), own);
});

test("an environment above is left alone: without a project beside it, beyond the repository, where all may write", (t) => {
  const top = makeFolder(t);
  const directory = join(top, "site");
  mkdirSync(join(directory, ".git"), { recursive: true });
  const env = { PATH };
  const above = environment(join(top, ".venv"));
  touch(top, "pyproject.toml");
  assert.notEqual(findPython({ directory, env }), above);
  const inner = join(directory, "app");
  mkdirSync(inner);
  environment(join(directory, ".venv"));
  assert.match(findPython({ directory: inner, env }), /\/python3$/);
  touch(directory, "requirements.txt");
  assert.equal(findPython({ directory: inner, env }), join(directory, ".venv", "bin", "python"));
  chmodSync(directory, 0o777);
  assert.match(findPython({ directory: inner, env }), /\/python3$/);
});

test("an environment whose interpreter is gone is told as broken, never passed over", (t) => {
  const directory = makeFolder(t);
  mkdirSync(join(directory, ".venv", "bin"), { recursive: true });
  symlinkSync("/gone/bin/python3.8", join(directory, ".venv", "bin", "python"));
  writeFileSync(join(directory, ".venv", "pyvenv.cfg"), "home = /gone/bin\n");
  const message = /\.venv is broken: it was made from the Python in \/gone\/bin, which is gone .*--python/;
  assert.throws(() => findPython({ directory, env: { PATH } }), {
    message,
    code: "ERR_SALLYPORT_PYTHON_NOT_FOUND",
  });
  assert.throws(() => findPython({ directory, python: `${directory}/.venv/bin/python` }), { message });
});

const AS_ROOT = process.getuid?.() === 0 ? false : "only root may become another user";

test("an environment that this user may not reach is no broken one, and not passed over", {
  skip: AS_ROOT,
}, (t) => {
  const directory = makeFolder(t);
  chmodSync(directory, 0o755);
  const hidden = join(directory, "hidden");
  mkdirSync(hidden, { mode: 0o700 });
  symlinkSync(process.execPath, join(hidden, "python3"));
  mkdirSync(join(directory, "app", ".venv", "bin"), { recursive: true });
  symlinkSync(join(hidden, "python3"), join(directory, "app", ".venv", "bin", "python"));
  writeFileSync(join(directory, "app", ".venv", "pyvenv.cfg"), `home = ${hidden}\n`);
  const message =
    /\.venv\/bin\/python: this process's user may not enter a directory on the way to it; check --python/;
  process.seteuid?.(65_534);
  try {
    assert.throws(() => findPython({ directory: join(directory, "app"), env: { PATH } }), { message });
    const python = join(directory, "app", ".venv", "bin", "python");
    assert.throws(() => findPython({ directory, python }), { message });
  } finally {
    process.seteuid?.(0);
  }
});

test("a wrong --python is answered with what is wrong about it", (t) => {
  const directory = makeFolder(t);
  const python = environment(join(directory, "env"));
  touch(directory, "plain");
  for (const [named, message] of [
    ["/nowhere/python", /no Python interpreter at \/nowhere\/python: there is no such file; check --python/],
    ["python-of-nobody", /there is no such program on PATH/],
    [join(directory, "plain"), /it is not executable/],
    [join(directory, "env"), new RegExp(`it is a virtual environment, whose interpreter is ${python};`)],
    [directory, /it is a directory/],
  ] as const)
    assert.throws(() => findPython({ directory, python: named }), { message });
  assert.throws(() => findPython({ directory, env: { PATH: directory } }), {
    message: /\.venv\/bin\/python, .*, python3; install Python 3\.9 or newer/,
  });
});

test("a Python that is too old, and a program that is none, are named", async (t) => {
  const directory = makeFolder(t);
  const old = `import runpy, sys
sys.version_info = (3, 8, 18, "final", 0)
sys.version = "3.8.18 (main)"
runpy.run_path(sys.argv[1], run_name="__main__")
`;
  writeFileSync(join(directory, "old.py"), old);
  const python = environment(join(directory, ".venv"), `#!/bin/sh\nexec python3 ${directory}/old.py "$@"\n`);
  const start = async (options = {}) => wsgi("app", { chdir: directory, ...options }).start?.();
  await assert.rejects(start({ python }), {
    message: /is Python 3\.8\.18, and Sallyport needs 3\.9 or newer; name another with --python/,
    code: "ERR_SALLYPORT_PYTHON_NOT_FOUND",
  });
  await assert.rejects(start({ python: "true" }), { message: /is it a Python interpreter\?/ });
});

test("a missing module: the interpreter, the places that were searched, and where it is installed", async (t) => {
  const directory = makeFolder(t);
  writeFileSync(join(directory, "app.py"), "import rare.deep\n");
  const start = async (options = {}) =>
    wsgi("app", { chdir: directory, python: "python3", ...options }).start?.();
  await assert.rejects(start(), (error: { message: string; detail: string }) => {
    assert.match(error.message, /No module named 'rare' \(in CPython 3\.\d+\.\d+, \/.*python3\)$/);
    assert.match(error.detail, /app\.py", line 1/);
    assert.match(error.detail, /looked for a virtual environment in .*\.venv, .*\/venv/);
    assert.match(error.detail, /--python PATH/);
    return true;
  });
  environment(join(directory, "env"));
  mkdirSync(join(directory, "env/lib/python3.12/site-packages/rare"), { recursive: true });
  const message = new RegExp(`rare is installed in ${directory}/env: --python ${directory}/env/bin/python$`);
  await assert.rejects(start(), { message });
});

test("an application whose module is in a directory of sources: --chdir", async (t) => {
  const directory = makeFolder(t);
  mkdirSync(join(directory, "src"));
  writeFileSync(join(directory, "src", "shop.py"), "");
  await assert.rejects(async () => wsgi("shop:app", { chdir: directory, python: "python3" }).start?.(), {
    message: /there is no module 'shop'.*; it is in .*\/src: --chdir .*src$/,
  });
});
