// The spike in embedded mode: Python inside this process, one call a request. As daemon.mjs otherwise.
// node embedded.mjs APP FOLDER PORT PYTHON
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { Environs } from "./environ.mjs";

const QUESTION = `
import json, os, sys, sysconfig
library = os.path.join(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
print(json.dumps({"library": library, "home": sys.base_prefix, "path": sys.path[1:]}))
`;

/** Gives a function from the bytes of an environ to those of a response. */
function loadPython(python, app, folder) {
  const { library, home, path } = JSON.parse(execFileSync(python, ["-c", QUESTION], { encoding: "utf8" }));
  // Deep binding: Python's extension modules shall find the system's OpenSSL, not that of Node.
  const libpython = koffi.load(library, { global: true, deep: true });
  const prepare = libpython.func("void Py_InitializeEx(int)");
  const run = libpython.func("int PyRun_SimpleString(const char*)");
  const main = libpython.func("void* PyImport_AddModule(const char*)");
  const attribute = libpython.func("void* PyObject_GetAttrString(void*, const char*)");
  const toBytes = libpython.func("void* PyBytes_FromStringAndSize(const void*, long)");
  const call = libpython.func("void* PyObject_CallOneArg(void*, void*)");
  const content = libpython.func("void* PyBytes_AsString(void*)");
  const size = libpython.func("long PyBytes_Size(void*)");
  const release = libpython.func("void Py_DecRef(void*)");

  process.env.PYTHONHOME = home;
  prepare(0);
  const places = JSON.stringify([fileURLToPath(new URL(".", import.meta.url)), folder, ...path]);
  const failed = run(`import sys\nsys.path[:] = ${places}\nimport handler\nhandle = handler.load("${app}")`);
  if (failed) throw new Error("Python could not load the application");
  const handle = attribute(main("__main__"), "handle");

  return (bytes, length) => {
    const request = toBytes(bytes, length);
    const response = call(handle, request);
    const copy = Buffer.from(koffi.view(content(response), size(response)).slice(0));
    release(response);
    release(request);
    return copy;
  };
}

const [app, folder, port, python] = process.argv.slice(2);
const handle = loadPython(python, app, folder);
const environs = new Environs();

createServer({ noDelay: true }, (client) => {
  client
    .on("data", (data) => {
      environs.end = 0;
      environs.add(data.latin1Slice());
      client.write(handle(environs.bytes, environs.end));
    })
    .on("error", () => {});
}).listen(Number(port), "127.0.0.1");
