// The two halves of each interface, as its specification divides the work.
// Tested by test/demo/doors.test.ts.
import type { InterfaceName } from "../explain/facts.ts";
import type { Halves } from "./door.ts";

export const HALVES: Readonly<Record<InterfaceName, Halves>> = {
  cgi: {
    server: [
      "I read the request and parse its head.",
      "I start a process: the head becomes its environment, the body its standard input.",
      "I read what it prints, and turn that into a response.",
    ],
    application: [
      "I read the environment, and CONTENT_LENGTH bytes of standard input.",
      "I print a header, an empty line, and a body.",
      "I end. The next request gets another process.",
    ],
    source: {
      title: "RFC 3875, The Common Gateway Interface",
      url: "https://www.rfc-editor.org/rfc/rfc3875",
    },
  },
  fastcgi: {
    server: [
      "I connect to the process that is there, and open each request with a BEGIN_REQUEST record that has a request id.",
      "I send CGI's variables as PARAMS records, and the body as STDIN records.",
      "I say in BEGIN_REQUEST whether the connection stays open for the next request.",
    ],
    application: [
      "I am started once, and accept connections.",
      "I answer in STDOUT records: what a CGI program would print.",
      "I close each request with an END_REQUEST record of its id, and stay.",
    ],
    source: {
      title: "FastCGI Specification 1.0, sections 3 and 5",
      url: "https://fastcgi-archives.github.io/FastCGI_Specification.html",
    },
  },
  scgi: {
    server: [
      "I open a connection for the request.",
      "I send CGI's variables as one netstring, CONTENT_LENGTH first, and then the body.",
      "I read the answer until the connection ends.",
    ],
    application: [
      "I am started once, and accept connections.",
      "I read the length before the colon, that many bytes of variables, and CONTENT_LENGTH bytes of body.",
      "I write what a CGI program would print, and close the connection.",
    ],
    source: {
      title: "SCGI: A Simple Common Gateway Interface alternative",
      url: "https://python.ca/scgi/protocol.txt",
    },
  },
  uwsgi: {
    server: [
      "I open a connection for the request.",
      "I send a head of four bytes with the size of the packet, then CGI's variables, each with its length before it, then the body.",
      "I read the answer until the connection ends.",
    ],
    application: [
      "I am started once, and accept connections.",
      "I read four bytes, then the packet, then CONTENT_LENGTH bytes of body.",
      "I write a response with a status line, as HTTP has it, and close the connection.",
    ],
    source: { title: "The uwsgi protocol", url: "https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html" },
  },
  wsgi: {
    server: [
      "I parse the head of the request, and put it into a dictionary: environ, with the names of CGI.",
      "I call application(environ, start_response).",
      "I send the pieces that it returns, one after the other.",
    ],
    application: [
      "I am a callable in Python: a server imports me once, and calls me for each request.",
      "I call start_response with a status and header fields: what a CGI program does by printing them.",
      "I return an iterable of bytes. I read the body from wsgi.input.",
    ],
    source: {
      title: "PEP 3333, Python Web Server Gateway Interface",
      url: "https://peps.python.org/pep-3333/",
    },
  },
  asgi: {
    server: [
      "I parse the head of the request, and put it into a dictionary: scope.",
      "I start application(scope, receive, send), a coroutine, and other requests go on while it waits.",
      "receive() gives the body in events; I send what comes by send().",
    ],
    application: [
      "I am a coroutine: where I wait, I give the event loop back.",
      "I await receive() for the body.",
      "I send http.response.start with status and header fields, then http.response.body, once or several times.",
    ],
    source: {
      title: "ASGI 3.0, the HTTP connection scope",
      url: "https://asgi.readthedocs.io/en/latest/specs/www.html",
    },
  },
  fetch: {
    server: [
      "I parse the head of the request, and make a Request of the Fetch standard.",
      "I call fetch(request).",
      "I send the Response that its promise gives.",
    ],
    application: [
      "I am a function in JavaScript or TypeScript, in the server's own process.",
      "I read request.url, request.headers and the body.",
      "I return a Response, or a promise of one.",
    ],
    source: { title: "Fetch Standard, Request and Response", url: "https://fetch.spec.whatwg.org/" },
  },
  node: {
    server: [
      "I parse the head of the request, and make the two objects that node:http would make.",
      "I call handler(req, res).",
      "I send what is written to res.",
    ],
    application: [
      "I am a function in JavaScript or TypeScript, in the server's own process.",
      "I read req.method, req.url, req.headers, and the body as a stream.",
      "I call res.writeHead, res.write and res.end. Express and Koa do so for their users.",
    ],
    source: { title: "Node.js, node:http", url: "https://nodejs.org/api/http.html" },
  },
};
