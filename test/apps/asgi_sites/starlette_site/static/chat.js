// The page that a real browser opens: it talks over a WebSocket, hears events over an EventSource, and reports.
const result = {};

function finish(word, value) {
  result[word] = value;
  if (!("socket" in result && "beats" in result && "long" in result)) return;
  const [page] = performance.getEntriesByType("navigation");
  const text = JSON.stringify({ ...result, protocol: page.nextHopProtocol });
  const ascii = text.replace(
    /[^ -~]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  fetch("/report", { method: "POST", body: ascii });
}

const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/talk`);
const said = [];
socket.onopen = () => {
  socket.send("hello, Ὀδυσσεύς");
  socket.send("x".repeat(200_000));
  socket.send("bye");
};
socket.onmessage = ({ data }) => {
  said.push(data.length > 100 ? data.length : data);
  if (data === "bye") socket.close(4000, "said all");
};
socket.onclose = ({ code, reason, wasClean }) => finish("socket", { said, code, reason, wasClean });

const source = new EventSource("/events?every=0.02&name=browser");
const beats = [];
source.addEventListener("beat", ({ data, lastEventId }) => {
  beats.push([lastEventId, data]);
  if (beats.length !== 5) return;
  source.close();
  finish("beats", beats.slice());
});

fetch("/static/numbers.txt")
  .then((response) => response.text())
  .then((text) => finish("long", text.length));
