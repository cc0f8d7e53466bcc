// The demonstration application as a fetch handler: shows the Request it was called with.
import { page } from "./page.ts";

interface Facts {
  readonly remote: { readonly address: string; readonly port: number };
  readonly mount: string;
}

export default {
  async fetch(request: Request, { remote, mount }: Facts): Promise<Response> {
    const body = await request.text();
    const html = page({
      title: "fetch handler",
      lead: "A TypeScript function in the server's own process was handed:",
      tables: {
        Request: Object.entries({ method: request.method, url: request.url }),
        Headers: request.headers,
        "The second argument": Object.entries({ remote: `${remote.address} port ${remote.port}`, mount }),
      },
      body,
    });
    return new Response(html, { headers: { "Content-Type": "text/html; charset=utf-8" } });
  },
};
