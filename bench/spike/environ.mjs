// Requests as Python's marshal (version 2, dictionaries of latin-1 texts), written one behind the other into one buffer.
const DICTIONARY = 0x7b;
const SHORT_TEXT = 0x7a;
const TEXT = 0x61;
const END = 0x30;

/** HTTP_ and the name as CGI writes it, made once for each spelling. */
const variables = new Map();

function variable(name) {
  let known = variables.get(name);
  if (known === undefined) {
    known = `HTTP_${name.toUpperCase().replaceAll("-", "_")}`;
    variables.set(name, known);
  }
  return known;
}

/** Bytes and where they end. Whoever takes them sets `end` back. */
export class Environs {
  bytes = Buffer.allocUnsafe(1 << 17);
  end = 0;

  /** The environ of one request head. */
  add(head) {
    let end = head.indexOf("\r\n");
    const target = head.indexOf(" ") + 1;
    const after = head.indexOf(" ", target);
    const query = head.indexOf("?", target);
    const path = query < 0 || query > after ? after : query;
    this.bytes[this.end++] = DICTIONARY;
    this.#entry("REQUEST_METHOD", head.slice(0, target - 1));
    this.#entry("PATH_INFO", head.slice(target, path));
    this.#entry("QUERY_STRING", head.slice(path + 1, after));
    this.#entry("REMOTE_ADDR", "127.0.0.1");
    // The head ends with an empty line.
    for (let at = end + 2; at < head.length - 2; at = end + 2) {
      const colon = head.indexOf(":", at);
      end = head.indexOf("\r\n", at);
      this.#entry(variable(head.slice(at, colon)), head.slice(colon + 1, end).trim());
    }
    this.bytes[this.end++] = END;
  }

  #entry(name, value) {
    this.#text(name);
    this.#text(value);
  }

  #text(text) {
    if (text.length < 256) {
      this.bytes[this.end++] = SHORT_TEXT;
      this.bytes[this.end++] = text.length;
    } else {
      this.bytes[this.end++] = TEXT;
      this.end = this.bytes.writeUInt32LE(text.length, this.end);
    }
    this.end += this.bytes.latin1Write(text, this.end);
  }
}
