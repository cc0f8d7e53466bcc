// One file, served by any server: as an HTTP server (node serve-hello.ts), a CGI program, a FastCGI application that a
// web server starts, and with --fastcgi, --scgi or --uwsgi ADDRESS one that listens.
import { serve } from "sallyport";

function hello(request: Request): Response {
  const name = new URL(request.url).searchParams.get("name") ?? "world";
  return new Response(`Hello, ${name}!\n`, { headers: { "Content-Type": "text/plain; charset=utf-8" } });
}

await serve(hello);
