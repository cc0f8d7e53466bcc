// Asks the server of the demonstration: sends the request of the form through a door, and reads what was recorded of it.

/** Milliseconds between two looks at a recording that is not over, and how many of them. */
const [PAUSE, LOOKS] = [100, 300];

export async function ask(method, path, body, signal) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const response = await reach(path, { method, headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  const { message, code } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(message ?? `the server answered ${response.status}`), {
    status: response.status,
    code,
  });
}

/** Says what a page can say of a failed fetch: the browser keeps the reason to itself. */
async function reach(...args) {
  try {
    return await fetch(...args);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the demonstration does not answer; was it stopped?");
  }
}

/** Throws for fields that a browser refuses, or leaves out without a word. */
function requestOf(url, options) {
  let request;
  try {
    request = new Request(url, options);
  } catch (error) {
    throw new Error(`the browser refuses this request: ${error.message}`);
  }
  const kept = options.headers.map(([name]) => name).filter((name) => !request.headers.has(name));
  if (kept.length === 0) return request;
  throw new Error(`the browser does not let a page send ${kept.join(", ")}; the command for a terminal does`);
}

export const askJson = async (method, path, body) => (await ask(method, path, body)).json();

/** The request through the door that is mounted at `path`: the recording, and in `browser` what the browser got. */
export async function send(path, { method, target, headers, body }) {
  const response = await reach(requestOf(path + target, { method, headers, body, cache: "no-store" }));
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
