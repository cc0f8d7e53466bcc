// Starts the page: the stream of live data while it is seen, its two pages by the part of the address after "#", the token.
import { listen, setToken } from "./api.js";
import { makeDashboard, showLive } from "./dashboard.js";
import { makeInspector, noticeCaptures } from "./inspector.js";

/** Milliseconds before the stream is opened again. */
const PAUSE = 2_000;
const PAGES = ["dashboard", "inspector"];
const element = (id) => document.getElementById(id);

function notice(text, isBad = false) {
  element("notice").textContent = text;
  element("notice").classList.toggle("bad", isBad);
}

function route() {
  const [name] = location.hash.slice(1).split("/");
  const shown = PAGES.includes(name) ? name : "dashboard";
  for (const page of PAGES) element(page).hidden = page !== shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function take(data) {
  const { version, pid, state } = data.status;
  element("server").textContent = `${version} · process ${pid} · ${state}`;
  showLive(data);
  noticeCaptures(data);
}

let stream;

/** A page in the background holds no connection. */
async function follow() {
  stream?.abort();
  if (document.hidden) return;
  const own = new AbortController();
  stream = own;
  try {
    await listen("events", take, own.signal);
  } catch (error) {
    if (own.signal.aborted) return;
    if (error.status === 401) return wantToken();
    notice(`no live data: ${error.message}; trying again`, true);
    setTimeout(() => own === stream && follow(), PAUSE);
  }
}

function wantToken() {
  element("access").hidden = false;
  element("token").focus();
}

element("access").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(element("token").value);
  element("access").hidden = true;
  notice("");
  void follow();
});

makeDashboard(element("dashboard"), notice);
makeInspector(element("inspector"), notice);
addEventListener("hashchange", () => {
  notice("");
  route();
});
document.addEventListener("visibilitychange", follow);
route();
void follow();
