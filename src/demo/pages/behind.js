// The last tab, both directions: the same application behind a real nginx. The server of the other tabs is the application now.
import { h } from "./dom.js";
import { askJson } from "./recordings.js";
import { wire } from "./wire.js";

const PROTOCOLS = { fastcgi: "FastCGI", scgi: "SCGI", uwsgi: "uwsgi", http: "HTTP (proxy)" };

/** What the panel shows; the request is sent when a protocol is chosen. */
export function behind({ machine }, notice) {
  const result = h("div", { "aria-live": "polite" });
  const buttons = Object.entries(PROTOCOLS).map(([protocol, name]) =>
    h(
      "button",
      { type: "button", "data-protocol": protocol, "aria-pressed": "false", click: () => open(protocol) },
      name,
    ),
  );
  let asked;

  async function open(protocol) {
    asked = protocol;
    for (const button of buttons)
      button.setAttribute("aria-pressed", `${button.dataset.protocol === protocol}`);
    result.replaceChildren(h("p", { class: "dim" }, "nginx is being started, and asked …"));
    try {
      const found = await askJson("POST", "/demo/behind", { protocol });
      if (asked === protocol) result.replaceChildren(...shown(protocol, found));
    } catch (error) {
      if (asked !== protocol) return;
      result.replaceChildren(h("p", { class: "bad" }, error.message));
      notice(error.message, true);
    }
  }

  if (machine.nginx) void open("fastcgi");
  return [
    h(
      "section",
      { class: "card", id: "behind", "aria-labelledby": "behind-title" },
      h("h2", { id: "behind-title" }, "Both directions"),
      h(
        "p",
        {},
        "In the other tabs Sallyport is the server, and a small program the application. An interface has two halves, and Sallyport has both: behind another server it is the application. Here nginx holds the browser's connection, and hands each request over.",
      ),
      machine.nginx
        ? h(
            "div",
            { class: "row", role: "group", "aria-label": "nginx speaks" },
            h("span", {}, "nginx speaks"),
            buttons,
          )
        : h(
            "p",
            { class: "bad" },
            "nginx is not installed here. Install it (apt install nginx, or brew install nginx), and start the demonstration again.",
          ),
      picture(),
      result,
    ),
  ];
}

/** Three boxes and two walls; the middle one has both halves. */
function picture() {
  const step = (name, role) => h("li", {}, h("b", {}, name), h("span", { class: "dim" }, role));
  return h("ol", { class: "chain" }, [
    step("browser", "asks"),
    step("nginx", "the server's half: parses HTTP, waits for slow clients"),
    step("Sallyport", "the application's half to nginx, the server's half to your program"),
    step("application", "unchanged: it greets"),
  ]);
}

function shown(protocol, { recording, fromNginx, nginxConfig, story }) {
  const { browser, response } = recording;
  const body = browser?.text ?? textOf(response?.body.bytes ?? "");
  return [
    h(
      "div",
      { class: "two" },
      h("div", { class: "half server" }, h("h3", {}, "The server now"), h("p", {}, story.server)),
      h("div", { class: "half app" }, h("h3", {}, "The application now"), h("p", {}, story.application)),
    ),
    h("h3", {}, `What nginx sent to Sallyport by ${PROTOCOLS[protocol]}`),
    wire(`What nginx sent by ${PROTOCOLS[protocol]}`, fromNginx.bytes, fromNginx.fields, { brief: true }),
    h(
      "div",
      { class: "two" },
      h(
        "div",
        {},
        h("h3", {}, "What came back through nginx"),
        h("pre", { class: "output", tabindex: "0", role: "region", "aria-label": "What came back" }, body),
      ),
      h(
        "div",
        {},
        h("h3", {}, "What nginx was told"),
        h(
          "pre",
          { class: "output", tabindex: "0", role: "region", "aria-label": "nginx's configuration" },
          nginxConfig,
        ),
      ),
    ),
  ];
}

const textOf = (base64) =>
  new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
