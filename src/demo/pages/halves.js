// Panel 4, the two halves of the rule book, and what every panel has: its heading with the link to the code.
import { h } from "./dom.js";
import { marked } from "./highlight.js";

/** Number, title and the link "the code". */
export function heading(number, title, id, door) {
  return h(
    "div",
    { class: "heading" },
    h("h2", { id }, h("span", { class: "badge", "aria-hidden": "true" }, number), title),
    h(
      "button",
      {
        type: "button",
        class: "link",
        "aria-label": `the code of ${door.name}`,
        click: () => showCode(door),
      },
      "the code",
    ),
  );
}

export function halves(door) {
  const half = (side, who, lines) =>
    h(
      "div",
      { class: `half ${side}` },
      h("h3", {}, who),
      h(
        "ol",
        {},
        lines.map((line) => h("li", {}, line)),
      ),
    );
  const { server, application, source } = door.halves;
  return h(
    "section",
    { class: "card", id: "halves", "aria-labelledby": "halves-title" },
    heading(4, "The two halves", "halves-title", door),
    h(
      "div",
      { class: "two" },
      half("server", "The server promises", server),
      half("app", "The application promises", application),
    ),
    h("p", {}, "The rule book: ", h("a", { href: source.url, rel: "noreferrer" }, source.title), "."),
  );
}

/** Sources of ours are named by their path in the repository; the application is shown whole. */
export function codeOf({ code }) {
  return code.map(({ file, language, text }) =>
    text === ""
      ? h("p", { class: "dim" }, "Sallyport's half, in its sources: ", h("code", {}, file))
      : h(
          "figure",
          { class: "source" },
          h("figcaption", {}, h("b", {}, "The application, whole: "), h("code", {}, file)),
          h("pre", { tabindex: "0", role: "region", "aria-label": file }, marked(text, language)),
        ),
  );
}

function showCode(door) {
  const dialog = document.getElementById("code");
  const close = h("button", { type: "button", click: () => dialog.close() }, "Close");
  dialog.replaceChildren(
    h("div", { class: "heading" }, h("h2", { id: "code-title" }, `The code: ${door.name}`), close),
    ...codeOf(door),
  );
  dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
}
