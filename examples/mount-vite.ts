// A Python application below /ml of Vite's dev server. Run: node --import tsx examples/mount-vite.ts
import { toNodeHandler, wsgi } from "sallyport";
import { createServer, type Plugin } from "vite";

/** For `plugins` of a vite.config.ts; the application starts with its first request and ends with the dev server. */
function python(path: string, app: string): Plugin {
  const handler = toNodeHandler(wsgi(app, { chdir: import.meta.dirname }));
  return {
    name: "python",
    apply: "serve",
    configureServer: ({ middlewares }) => void middlewares.use(path, handler),
    closeBundle: () => handler.close(),
  };
}

const server = await createServer({
  configFile: false,
  appType: "custom",
  logLevel: "error",
  optimizeDeps: { noDiscovery: true },
  server: { host: "127.0.0.1", port: Number(process.env.PORT ?? 3000), hmr: false, ws: false, watch: null },
  plugins: [python("/ml", "mount_app")],
});
await server.listen();
console.log("listening on", server.httpServer?.address());
