// A process of its own full of slow clients, so that they do not slow down the honest ones by themselves: PORT COUNT. Of each
// kind there are COUNT: heads that come byte by byte, bodies that do, and responses that are hardly read.
import { connect } from "node:net";

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
/** Milliseconds between two bytes of one client. */
const PACE = 10_000;
const BODY = 100_000;
/** Milliseconds until the next client of each kind begins. */
const BETWEEN = 10;

const KINDS = [
  { begin: "GET /sum?1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", next: "x", reads: true },
  {
    begin: `POST /sum?1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY}\r\n\r\n`,
    next: "x",
    reads: true,
  },
  { begin: "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", next: "", reads: false },
];

let left = count * KINDS.length;

function begin(kind, isFirst) {
  const socket = connect(port, "127.0.0.1");
  const again = () => setTimeout(begin, PACE, kind, false).unref();
  socket.once("connect", () => {
    if (isFirst && --left === 0) process.send?.("all");
    socket.write(kind.begin);
    if (!kind.reads) socket.pause();
    const timer = setInterval(() => kind.next && socket.write(kind.next), PACE);
    socket.once("close", () => clearInterval(timer));
  });
  socket.on("error", () => {}).once("close", again);
  if (kind.reads) socket.resume();
}

// One after the other, since all at once would be a burst, and no slow client.
for (let i = 0; i < count; i++)
  setTimeout(() => {
    for (const kind of KINDS) begin(kind, true);
  }, i * BETWEEN);
process.once("disconnect", () => process.exit());
