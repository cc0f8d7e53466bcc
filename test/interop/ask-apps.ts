// Apps of each kind that answer with what they know of their client, and a client that asks them through a proxy.
import { once } from "node:events";
import { request as plainRequest } from "node:http";
import { connect } from "node:http2";
import { request as tlsRequest } from "node:https";
import type { Config } from "../../src/config/config.ts";
import { NAME } from "../kit/make-certificate.ts";
import { VENV_PYTHON } from "../kit/needs.ts";
import { path } from "./peer.ts";

/** The client's own address, so that it is not taken for the proxy's. */
export const CLIENT = "127.0.0.5";

/** What an app knows of its client. */
export interface Told {
  readonly remote: string;
  readonly port: string;
  /** "http", "https+on". */
  readonly scheme: string;
  readonly host: string;
  readonly serverPort: string;
  readonly mount: string;
}

type Variables = Readonly<Record<string, string | null>>;

const fromVariables = (variables: Variables, scheme: unknown): Told => ({
  remote: String(variables.REMOTE_ADDR),
  port: String(variables.REMOTE_PORT),
  scheme: `${scheme}${variables.HTTPS === "on" ? "+on" : ""}`,
  host: String(variables.HTTP_HOST),
  serverPort: String(variables.SERVER_PORT),
  mount: String(variables.SCRIPT_NAME),
});

interface Scope {
  readonly client: readonly [string, number];
  readonly server: readonly [string, number];
  readonly scheme: string;
  readonly host: string;
  readonly root_path: string;
}

const fromScope = ({ client: [remote, port], server, scheme, host, root_path: mount }: Scope): Told => ({
  remote,
  port: port === 0 ? "" : String(port),
  scheme: scheme === "https" ? "https+on" : scheme,
  host,
  serverPort: String(server[1]),
  mount,
});

/** How each app's own words become those above. */
const READERS = {
  wsgi: (said) => fromVariables(said as Variables, said["wsgi.url_scheme"]),
  asgi: (said) => fromScope(said as unknown as Scope),
  cgi: ({ env }) => fromVariables(env as Variables, (env as Variables).REQUEST_SCHEME),
} satisfies Record<string, (said: Record<string, unknown>) => Told>;

export type Kind = keyof typeof READERS;
export const KINDS = Object.keys(READERS) as Kind[];

const python = { chdir: path("../apps/proxied"), python: VENV_PYTHON };

/** Each by its kind. */
export const APPS: Config["apps"] & Record<Kind, unknown> = {
  wsgi: { wsgi: "tell:environ", ...python },
  asgi: { asgi: "tell:scope", ...python },
  cgi: { cgi: path("../apps/cgi/show") },
};

export interface Question {
  readonly kind: Kind;
  /** Where the proxy listens. */
  readonly url: string;
  /** What stands before the app's own path. */
  readonly prefix?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly told: Told;
  /** The port that was asked from. */
  readonly from: number;
}

const OPTIONS = { localAddress: CLIENT, rejectUnauthorized: false, servername: NAME };

const pathOf = ({ prefix = "", kind }: Question): string => `${prefix}/${kind}/x`;

function answer(kind: Kind, from: number, status: number, text: string): Answer {
  if (status !== 200) throw new Error(`${status} ${text}`);
  return { told: READERS[kind](JSON.parse(text)), from };
}

/** Asks an app by HTTP/1.1. */
export async function ask(question: Question): Promise<Answer> {
  const send = question.url.startsWith("https:") ? tlsRequest : plainRequest;
  const headers = { Host: NAME, ...question.headers };
  const sent = send(`${question.url}${pathOf(question)}`, { ...OPTIONS, headers, agent: false });
  const [response] = await once(sent.end(), "response");
  const from = response.socket.localPort;
  const text = (await response.setEncoding("utf8").toArray()).join("");
  return answer(question.kind, from, response.statusCode, text);
}

/** Asks it by HTTP/2: with prior knowledge, or over TLS. */
export async function askByHttp2(question: Question): Promise<Answer> {
  const session = connect(question.url, OPTIONS);
  try {
    await once(session, "connect");
    const from = session.socket.localPort ?? 0;
    const stream = session.request({ ":path": pathOf(question), ":authority": NAME, ...question.headers });
    const [headers] = await once(stream.end(), "response");
    const text = (await stream.setEncoding("utf8").toArray()).join("");
    return answer(question.kind, from, headers[":status"], text);
  } finally {
    session.destroy();
  }
}
