// A client of server-sent events that hears them one by one, and leaves when it has heard enough.

export class EventReader {
  readonly response: Response;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #aborter: AbortController;
  #text = "";

  private constructor(response: Response, aborter: AbortController) {
    this.response = response;
    this.#aborter = aborter;
    if (!response.body) throw new Error("no body");
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
    const aborter = new AbortController();
    const response = await fetch(url, { headers, signal: aborter.signal });
    return new EventReader(response, aborter);
  }

  /** The fields of the next event, or comment (named ""); undefined at the end of the stream. */
  async next(): Promise<Record<string, string> | undefined> {
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#text);
      if (end) return this.#cut(end.index, end[0].length);
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  /** All that still comes, until the stream ends or is cut: to an EventSource that is the same. */
  async rest(): Promise<Record<string, string>[]> {
    const events: Record<string, string>[] = [];
    try {
      for (let event = await this.next(); event; event = await this.next()) events.push(event);
    } catch {
      // It was cut.
    }
    return events;
  }

  leave(): void {
    this.#aborter.abort();
  }

  #cut(length: number, separator: number): Record<string, string> {
    const lines = this.#text.slice(0, length).split(/\r?\n/);
    this.#text = this.#text.slice(length + separator);
    return Object.fromEntries(
      lines.map((line) => /^([^:]*): ?(.*)$/.exec(line)?.slice(1) as [string, string]),
    );
  }
}
