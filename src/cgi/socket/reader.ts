// A response head that an application of SCGI or uwsgi sends: as CGI writes it ("Status: 200 OK"), or with the status line
// of HTTP ("HTTP/1.1 200 OK") as uWSGI does. nginx accepts both from either, too.
// Tested by test/cgi/socket/halves.test.ts.
import type { SallyportError } from "../../exchange/index.ts";
import { type CgiResponse, ResponseReader } from "../response-reader.ts";

/** No field of CGI begins like this: a name has no slash. */
const STATUS_LINE = Buffer.from("HTTP/");

export class EitherReader {
  #start: Buffer = Buffer.alloc(0);
  #reader: ResponseReader | undefined;

  /** As ResponseReader's. */
  feed(chunk: Uint8Array): CgiResponse | undefined {
    if (this.#reader) return this.#reader.feed(chunk);
    this.#start =
      this.#start.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        : Buffer.concat([this.#start, chunk]);
    const start = this.#start.subarray(0, STATUS_LINE.length);
    const nph = start.equals(STATUS_LINE.subarray(0, start.length));
    if (nph && start.length < STATUS_LINE.length) return undefined;
    this.#reader = new ResponseReader({ nph });
    return this.#reader.feed(this.#start);
  }

  /** As ResponseReader's. */
  end(): SallyportError {
    const reader = this.#reader ?? new ResponseReader();
    if (!this.#reader) reader.feed(this.#start);
    return reader.end();
  }
}
