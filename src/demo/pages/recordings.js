// Asks the server of the demonstration: sends the request of the form through a door, and reads what was recorded of it.

/** Milliseconds between two looks at a recording that is not over, and how many of them. */
const [PAUSE, LOOKS] = [100, 300];

export async function ask(method, path, body, signal) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  const { message, code } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(message ?? `the server answered ${response.status}`), {
    status: response.status,
    code,
  });
}

export const askJson = async (method, path, body) => (await ask(method, path, body)).json();

/** The request through the door that is mounted at `path`: the recording, and in `browser` what the browser got. */
export async function send(path, { method, target, headers, body }) {
  const response = await fetch(path + target, { method, headers, body, cache: "no-store" });
  const text = await response.text();
  const id = response.headers.get("Sallyport-Recording");
  if (!id) throw new Error(`this request was not recorded (${response.status})`);
  return { ...(await recording(id)), browser: { status: response.status, text } };
}

async function recording(id) {
  for (let look = 0; look < LOOKS; look++) {
    const view = await askJson("GET", `/demo/recordings/${encodeURIComponent(id)}`);
    if (view.over) return view;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  throw new Error("the request is not over yet");
}
