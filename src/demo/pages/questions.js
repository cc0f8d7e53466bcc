// Ten questions that this page alone can answer. Each leads to the panel that holds the answer.
import { h } from "./dom.js";

/** Question, door, id of the panel. */
export const QUESTIONS = [
  ["Which interface starts a process for each request?", "cgi", "way"],
  ["Who parses the HTTP head in WSGI?", "wsgi", "halves"],
  ["How does the body of a request reach a CGI program?", "cgi", "crossed"],
  ["What carries the query string in SCGI?", "scgi", "crossed"],
  ["Where does a FastCGI record say which request it belongs to?", "fastcgi", "crossed"],
  ["What does start_response do that CGI does by printing?", "wsgi", "back"],
  ["Why is embedded mode quicker, and what does it risk?", "embedded", "way"],
  ["Why can one ASGI process serve 200 clients who wait?", "asgi", "way"],
  ["What is SCRIPT_NAME called in ASGI?", "asgi", "crossed"],
  ["What happens to a client's request when a worker dies?", "wsgi", "way"],
];

/** `open(id)` shows a door, and resolves when its panels are there. */
export function questions(root, open) {
  const go = async (door, panel) => {
    for (const found of document.querySelectorAll(".answer")) found.classList.remove("answer");
    await open(door);
    const target = document.getElementById(panel);
    if (!target) return;
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "start" });
    target.classList.add("answer");
  };
  root.replaceChildren(
    h("h2", { id: "questions-title" }, "Ten questions"),
    h("p", {}, "Can you answer them? Each leads to the panel that knows."),
    h(
      "ol",
      {},
      QUESTIONS.map(([text, door, panel]) =>
        h("li", {}, h("button", { type: "button", class: "link", click: () => go(door, panel) }, text)),
      ),
    ),
  );
}
