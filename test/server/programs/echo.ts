// Says what it was asked, and says something on standard output, too, which is the response's when a web server listens.
import { serve } from "sallyport";

console.log("before the server");

await serve(async (request: Request): Promise<Response> => {
  console.log("a line of the app");
  return new Response(`${request.method} ${request.url} ${await request.text()}`);
});
