// A fetch handler, the shape that Hono, h3 and every edge platform share. Serve it: sallyport serve hello-fetch.ts
export default {
  fetch(request: Request): Response {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    return new Response(`Hello, ${name}!\n`);
  },
};
