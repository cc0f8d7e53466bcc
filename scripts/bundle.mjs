// Puts the compiled modules together, so that a server reads few files before its first answer
// (docs/decisions/0016-bundles.md). Every module ends up in exactly one file of dist: a class is the same class in all.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/**
 * One file each, with all that its roots import and that is in no layer before it. What a server process needs comes first:
 * it reads neither the schema nor the command line. What answers a request is read while Python starts.
 */
const LAYERS = [
  {
    name: "server.js",
    roots: [
      "cli/server-process.js",
      "protocols/wsgi/index.js",
      // The schema has them, and the listeners.
      ...["http/limits.js", "websocket/limits.js"],
    ],
  },
  { name: "schema.js", roots: ["config/zod.js"] },
  { name: "command.js", roots: ["cli/command.js", "control/socket.js"] },
  { name: "listen.js", roots: ["server/web.js"] },
];
/** Run by themselves, in processes and threads of their own: with copies of what they use. */
const PROGRAMS = ["processes/launcher-process.js", "demo/load.js", "modules/hooks.js"];
/** What bin/sallyport.js starts. */
const COMMANDS = ["cli/main.js", "cli/server-main.js"];

/** A file of dist, in code that does not know yet from where it is seen. */
const at = (file) => `@dist/${file}`;
const AT = /(["'`])@dist\/([^"'`]+)\1/g;

/** Replaces the modules below `directory` by files that hold many of them. `publicFiles`: what package.json exports. */
export async function bundle(directory, publicFiles) {
  const esbuild = await import("esbuild");
  const modules = modulesIn(directory);
  const graph = await graphOf(esbuild, directory, modules);
  const home = layersOf(graph);
  const outputs = new Map();
  const context = { esbuild, directory, graph, home, outputs };
  for (const { name } of LAYERS) await bundleLayer(context, name);
  await bundleRest(context, [...publicFiles, ...COMMANDS, ...asked(graph)]);
  await bundlePrograms(context);
  for (const file of modules) rmSync(join(directory, file));
  for (const [file, text] of outputs) write(directory, file, text);
}

const modulesIn = (directory) =>
  readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".js"));

/** By module: which it imports, which it asks for later (`import()`), and what it exports. */
async function graphOf({ build }, directory, modules) {
  const { metafile } = await build({
    ...common(directory),
    entryPoints: modules,
    outdir: join(directory, "out"),
    plugins: [{ name: "graph", setup: ({ onResolve }) => onResolve({ filter: /^[^./]/ }, outside) }],
    bundle: true,
    metafile: true,
    write: false,
    splitting: true,
  });
  const imported = (kind, { imports }) =>
    imports.filter((one) => one.kind === kind && !one.external).map(({ path }) => path);
  const exported = new Map(
    Object.values(metafile.outputs).map((output) => [output.entryPoint, output.exports]),
  );
  return new Map(
    Object.entries(metafile.inputs).map(([file, input]) => [
      file,
      {
        now: imported("import-statement", input),
        later: imported("dynamic-import", input),
        exports: exported.get(file),
      },
    ]),
  );
}

/** Packages, and modules of Node. */
const outside = ({ kind, path }) => (kind === "entry-point" ? undefined : { path, external: true });

/** By module: its layer. */
function layersOf(graph) {
  const home = new Map();
  for (const { name, roots } of LAYERS) {
    const waiting = [...roots];
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (home.has(file)) continue;
      home.set(file, name);
      waiting.push(...graph.get(file).now);
    }
  }
  return home;
}

const asked = (graph) => [...new Set([...graph.values()].flatMap(({ later }) => later))];

const common = (directory) => ({
  absWorkingDir: directory,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});

/** What all bundles have in common: `name` is the file that is made. */
async function run({ esbuild, directory, home, outputs }, name, options) {
  const { outputFiles, metafile } = await esbuild.build({
    ...common(directory),
    outdir: directory,
    outbase: directory,
    bundle: true,
    write: false,
    metafile: true,
    plugins: [placed(directory, home, name)],
    ...options,
  });
  for (const { path, text } of outputFiles) outputs.set(relative(directory, path), text);
  return metafile;
}

/** Imports of modules that are elsewhere, and of files beside a module, which is somewhere else now. */
const placed = (directory, home, name) => ({
  name: "placed",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^./]/ }, outside);
    onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
      const file = relative(directory, resolve(resolveDir, path));
      const layer = home.get(file);
      if (layer !== undefined && layer !== name) return { path: at(layer), external: true };
      // Code that asks for a file of its own layer has it already.
      if (kind === "dynamic-import" && LAYERS.some((one) => one.name === name))
        return { path: at(layer ?? file), external: true };
      return undefined;
    });
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      const self = `new URL(${JSON.stringify(at(relative(directory, path)))}, import.meta.url).href`;
      return { contents: readFileSync(path, "utf8").replaceAll("import.meta.url", self), loader: "js" };
    });
  },
});

/** Fails where two modules export different things by one name. */
async function bundleLayer(context, name) {
  const files = [...context.home].filter(([, layer]) => layer === name).map(([file]) => file);
  const contents = files.map((file) => `export * from "./${file}";`).join("\n");
  await run(context, name, {
    stdin: { contents, resolveDir: context.directory, sourcefile: name },
    outdir: undefined,
    outbase: undefined,
    outfile: join(context.directory, name),
  });
  const exported = exportedBy(context.outputs.get(name));
  for (const file of files)
    for (const each of context.graph.get(file).exports)
      if (!exported.has(each))
        throw new Error(`${name}: ${each} of ${file} is exported by another module, too`);
}

/** Read from the code: esbuild's account has names that mean two things, too, which the code leaves out. */
const exportedBy = (text) =>
  new Set(
    Array.from(text.matchAll(/^export \{([^}]*)\}/gm), ([, list]) =>
      list.split(",").map((each) => each.trim().split(" as ").at(-1)),
    ).flat(),
  );

/** All else, in as many files as its users ask for. */
async function bundleRest(context, entries) {
  const { home } = context;
  const wanted = [...new Set(entries)];
  await run(context, undefined, {
    entryPoints: wanted.filter((file) => !home.has(file)),
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  });
  for (const file of wanted.filter((each) => home.has(each)))
    context.outputs.set(
      file,
      `export { ${context.graph.get(file).exports.join(", ")} } from "${at(home.get(file))}";\n`,
    );
}

const bundlePrograms = (context) =>
  run({ ...context, home: new Map() }, undefined, { entryPoints: PROGRAMS });

/** Each file sees the others from where it is. */
function write(directory, file, text) {
  const seen = (target) => {
    const path = relative(dirname(file), target);
    return path.startsWith(".") ? path : `./${path}`;
  };
  mkdirSync(dirname(join(directory, file)), { recursive: true });
  writeFileSync(
    join(directory, file),
    text.replace(AT, (_, quote, target) => `${quote}${seen(target)}${quote}`),
  );
}
