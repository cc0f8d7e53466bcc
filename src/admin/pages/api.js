// Asks the admin listener. Its token, where it has one, is kept for this tab only.
const KEY = "sallyport-token";

/** What the server has refused, with its code and what to do about it. */
export class Refusal extends Error {
  constructor(status, { code, message, detail }) {
    super(detail ? `${message}: ${detail}` : message);
    this.status = status;
    this.code = code;
  }
}

export const setToken = (token) => sessionStorage.setItem(KEY, token);

function headers() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function send(method, path, body, signal) {
  const response = await fetch(path, {
    method,
    headers: headers(),
    body: body && JSON.stringify(body),
    signal,
  });
  if (response.ok) return response;
  throw new Refusal(
    response.status,
    await response.json().catch(() => ({ message: `answered ${response.status}` })),
  );
}

export const ask = async (method, path, body) => (await send(method, path, body)).json();
export const askText = async (path) => (await send("GET", path)).text();

/** Calls `take` with each message until the stream ends, which is an error as well. */
export async function listen(path, take, signal) {
  const response = await send("GET", path, undefined, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the connection ended");
    const messages = (text + value).split("\n\n");
    text = messages.pop();
    for (const message of messages) take(JSON.parse(message.replace(/^data: /, "")));
  }
}
