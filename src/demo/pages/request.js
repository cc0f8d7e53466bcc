// The request that every door gets: method, path and query, header fields, body. And the same as a command for a terminal, right
// for the address at which this page is.
import { h } from "./dom.js";

const METHODS = ["GET", "POST", "PUT", "DELETE"];
const hasBody = (method) => method !== "GET" && method !== "DELETE";

/** Fields that more than a few requests need would make the page long. */
const MOST_FIELDS = 8;

/** `submitted` is called when it is to be sent. `key` of the request differs when the request does. */
export function requestForm(form, submitted) {
  const method = h(
    "select",
    { id: "method", "aria-label": "Method" },
    METHODS.map((name) => h("option", {}, name)),
  );
  const target = h("input", {
    id: "target",
    "aria-label": "Path and query",
    value: "/hello?name=you",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
  });
  const fields = h("div", { id: "fields" });
  const add = h("button", { type: "button", click: () => addField(fields) }, "Add a header");
  const body = h("textarea", { id: "body", rows: "2", "aria-label": "Body" }, "colour=green");
  const bodyRow = h("label", { class: "body", hidden: true }, h("span", {}, "Body"), body);
  const command = h("code", {}, "");
  const copied = h("span", { class: "dim", role: "status" });
  const copy = h("button", { type: "button", click: () => copyText(command.textContent, copied) }, "Copy");
  form.replaceChildren(
    h("div", { class: "line" }, method, target, add, h("button", { class: "main" }, "Send")),
    fields,
    bodyRow,
    h("p", { class: "command" }, h("span", { class: "dim" }, "in a terminal"), command, copy, copied),
  );
  let door = { path: "" };
  const request = () => requestOf(method, target, fields, body);
  const showCommand = () => {
    bodyRow.hidden = !hasBody(method.value);
    command.textContent = commandOf(door.path, request());
  };
  form.addEventListener("input", showCommand);
  fields.addEventListener("click", showCommand);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    showCommand();
    submitted();
  });
  return {
    request,
    setDoor(chosen) {
      door = chosen;
      showCommand();
    },
  };
}

function addField(fields) {
  if (fields.children.length >= MOST_FIELDS) return;
  const name = h("input", { "aria-label": "Header name", value: "X-Colour", spellcheck: "false" });
  const value = h("input", { "aria-label": "Header value", value: "green", spellcheck: "false" });
  const row = h("div", { class: "line" }, name, value);
  row.append(h("button", { type: "button", click: () => row.remove() }, "Remove"));
  fields.append(row);
  name.focus();
  name.select();
}

function requestOf(method, target, fields, body) {
  const headers = [...fields.children].flatMap((row) => {
    const [name, value] = [...row.querySelectorAll("input")].map((input) => input.value.trim());
    return name ? [[name, value]] : [];
  });
  const written = target.value.trim();
  const request = {
    method: method.value,
    target: written.startsWith("/") ? written : `/${written}`,
    headers,
    body: hasBody(method.value) ? body.value : undefined,
  };
  return { ...request, key: JSON.stringify(request) };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function commandOf(path, { method, target, headers, body }) {
  const parts = ["curl -i"];
  if (method !== "GET" && method !== "POST") parts.push(`-X ${method}`);
  for (const [name, value] of headers) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) parts.push(`--data-raw ${quoted(body)}`);
  return [...parts, quoted(location.origin + path + target)].join(" ");
}

async function copyText(text, copied) {
  await navigator.clipboard.writeText(text).then(
    () => {
      copied.textContent = "copied";
    },
    () => {
      copied.textContent = "the browser does not allow it";
    },
  );
}
