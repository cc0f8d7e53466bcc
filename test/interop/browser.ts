// A client that keeps cookies and follows redirects, as a browser does.

export class Browser {
  readonly #site: string;
  readonly #cookies = new Map<string, string>();

  constructor(site: string) {
    this.#site = site;
  }

  get(target: string): Promise<string> {
    return this.#ask(target, {});
  }

  /** Of an object a form is made. */
  post(target: string, form: Readonly<Record<string, string>> | FormData): Promise<string> {
    return this.#ask(target, {
      method: "POST",
      body: form instanceof FormData ? form : new URLSearchParams(form),
    });
  }

  async #ask(target: string, init: RequestInit): Promise<string> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const url = new URL(target, this.#site);
    const response = await fetch(url, { ...init, headers: { cookie }, redirect: "manual" });
    for (const set of response.headers.getSetCookie()) this.#keep(set);
    const text = await response.text();
    const location = response.headers.get("location");
    if (location !== null) return this.#ask(new URL(location, url).href, {});
    if (!response.ok) throw new Error(`${target}: ${response.status}\n${text}`);
    return text;
  }

  #keep(set: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
    this.#cookies.set(name, value);
  }
}
