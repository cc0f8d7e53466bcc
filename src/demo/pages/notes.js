// What the page says of each door in its own words, beside what was measured.

/** The way, by door. */
export const WAY = {
  cgi: "The server starts a process for each request. It appears, reads, answers, ends. Every answer includes the start of an interpreter; nothing is kept from one request to the next, and nothing can leak from one to the next.",
  warm: "Still a process for each request, but not a new start of Python: it is forked from an interpreter that has its modules loaded already.",
  fastcgi:
    "The application's process was started once and stays, and so does the connection to it: what CGI pays for each request, FastCGI pays once.",
  scgi: "The application's process stays. Each request has a connection of its own, and its end is the end of the answer: simpler than FastCGI, for the price of a connect.",
  uwsgi:
    "The application's process stays. The packet is binary and as simple as SCGI's: sizes instead of separators, so that a reader never searches.",
  wsgi: "The application is loaded once in a process of its own, and called for each request. This process has one thread, so it answers one request at a time; others wait in the server's queue. If it dies, only the request inside it is lost: its client gets 502 Bad Gateway, and the server starts another process at once.",
  embedded:
    "The interpreter runs inside the server's process, so the request is one function call: no socket, no second process to wake. The risk is the same fact: a slow call holds the server and all its other connections, and a crash in the interpreter takes the server with it.",
  asgi: "The application is a coroutine in a process of its own. Wherever it awaits, the event loop serves other requests: one process can hold 200 clients who wait. If the process dies, the requests inside it get 502 Bad Gateway, and another one starts.",
  fetch:
    "The application is a function in the server's own process, on its event loop. It may return a promise, so many requests can wait at once; a long calculation holds them all.",
  node: "The application is a function with Node's own objects for request and response, in the server's own process: what Express and Koa are written for.",
  php: "PHP stays as a FastCGI process, but begins each request with a clean slate: nothing of the program is kept, except what the operating system and its cache remember.",
};

/** What only this interface has: which values, and in words. By interface. */
export const ONLY = {
  cgi: {
    names: /^(argv|PATH_TRANSLATED$|SCRIPT_FILENAME$|DOCUMENT_ROOT$)/,
    text: "A program file, its arguments, and the environment of a process. The body comes as standard input, and CONTENT_LENGTH says how much of it to read.",
  },
  fastcgi: {
    names: /^$/,
    text: "Records. Each begins with eight bytes: version, type, request id, sizes. The request id says which request a record belongs to, so that several could share a connection. BEGIN_REQUEST opens a request; an empty record ends a stream.",
  },
  scgi: {
    names: /^(SCGI|CONTENT_LENGTH)$/,
    text: "A netstring: the length in digits, a colon, the variables with a zero byte after each name and value, a comma. CONTENT_LENGTH must come first, SCGI=1 must be there; the body follows.",
  },
  uwsgi: {
    names: /^$/,
    text: "A head of four bytes: a modifier, the size of all variables (low byte first), another modifier. Then each name and each value after its size in two bytes. The body follows.",
  },
  wsgi: {
    names: /^wsgi\./,
    text: 'A Python dictionary, environ, with the names of CGI and eight more that begin with "wsgi.". The server has parsed the HTTP head already: the application never sees its bytes. Between Sallyport and its Python process the dictionary travels as a frame in Python\'s marshal format.',
  },
  asgi: {
    names: /^(type|http_version|raw_path|asgi|state|extensions)$/,
    text: "A Python dictionary, scope, and two coroutines: receive() for events that come, send() for events that go. SCRIPT_NAME is called root_path here, and path still contains it. Between Sallyport and its Python process the scope travels as a frame in Python's marshal format.",
  },
  fetch: {
    names: /^(url|remote|mount)$/,
    text: "A Request object, the same class as in a browser. Path and query are inside url. Nothing is written to a wire: server and application share the memory of one process.",
  },
  node: {
    names: /^(originalUrl|baseUrl|socket\.)/,
    text: "Two objects, req and res, as node:http makes them. Nothing is written to a wire: server and application share the memory of one process.",
  },
};

/** What comes back, by interface. */
export const BACK = {
  cgi: "The program prints: header lines, an empty line, the body. The server adds the status line, because a CGI program writes at most a Status header.",
  fastcgi:
    "The same text that a CGI program prints, in STDOUT records; END_REQUEST closes the request, and the connection stays. Here is the content of the STDOUT records.",
  scgi: "The same text that a CGI program prints. The application closes the connection when it is complete.",
  uwsgi:
    "A response as HTTP writes it, with a status line. The application closes the connection when it is complete.",
  wsgi: "The application calls start_response(status, headers), which does what a CGI program does by printing its header, and returns an iterable of bytes: the body. The frame of the link carries both.",
  asgi: "The application sends events: http.response.start with status and headers, then http.response.body, once or several times. The frame of the link carries them together when they come together.",
  fetch:
    "The function returns a Response object, or a promise of one. No bytes cross; the body is read from the object.",
  node: "The function calls res.writeHead(), res.write() and res.end(). No bytes cross; the server takes each piece as it is written.",
};
