// `sallyport explain [TARGET] [METHOD] URL`: what would become of a request. Nothing listens, and without --run nothing starts.
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { ListenAddress } from "../config/address.ts";
import { SallyportError } from "../exchange/index.ts";
import { type Explanation, explain } from "../explain/explain.ts";
import { methodOf, partsOfUrl } from "../explain/request.ts";
import { explanationText } from "../explain/text.ts";
import { type CommandLine, usage } from "./command-line.ts";
import { givenOf } from "./given.ts";
import type { Flags } from "./options.ts";
import { serveSettingsOf } from "./settings.ts";

/** Gives the exit code: 1 when the request is refused. Throws a SallyportError for what cannot be asked. */
export async function explainCommand(line: CommandLine): Promise<number> {
  const here = process.cwd();
  const { target: word, method, url } = askedIn(line.words);
  const { target, flags } = givenOf(line.flags, word, here);
  const { settings, directory } = await serveSettingsOf(target, flags, here);
  const local = placeOf(settings.listen[0]);
  const body = await bodyOf(flags);
  const found = await explain(
    {
      ...partsOfUrl(url, local.port === 80 ? local.address : `${local.address}:${local.port}`),
      method: methodOf(method, body.length > 0),
      fields: flags.header ?? [],
      body,
      remote: { address: flags.client ?? "127.0.0.1", port: CLIENT_PORT },
      local,
    },
    { settings, directory, as: flags.as, diff: flags.diff, run: flags.run ?? false },
  );
  process.stdout.write(
    flags.json ? jsonOf(found) : explanationText(found, { colours: colours(), bytes: flags.bytes ?? false }),
  );
  return found.refusal ? 1 : 0;
}

/** Any port that a client may have. */
const CLIENT_PORT = 50_000;

interface Asked {
  readonly target: string | undefined;
  readonly method: string | undefined;
  readonly url: string;
}

const METHOD = /^[A-Z][A-Z-]*$/;

/** The URL comes last, a method in capitals before it, and first of all the target. */
function askedIn(words: readonly string[]): Asked {
  const url = words.at(-1);
  if (url === undefined)
    throw usage("which request? sallyport explain [TARGET] [METHOD] URL, such as GET /path");
  const before = words.slice(0, -1);
  const method = METHOD.test(before.at(-1) ?? "") ? before.pop() : undefined;
  const [target, extra] = before;
  if (extra !== undefined) throw usage(`one target at a time: ${target}, and then ${extra}`);
  return { target, method, url };
}

/** The first address: where the client is said to have connected to. */
function placeOf(address: ListenAddress | undefined): { address: string; port: number } {
  if (address?.kind !== "tcp") return { address: "127.0.0.1", port: 8000 };
  const { host, port } = address;
  return { address: isIP(host) && host !== "0.0.0.0" && host !== "::" ? host : "127.0.0.1", port };
}

async function bodyOf({ data = "" }: Flags): Promise<Buffer> {
  if (!data.startsWith("@")) return Buffer.from(data, "utf8");
  const file = data.slice(1);
  try {
    return await readFile(file === "-" ? "/dev/stdin" : file);
  } catch (error) {
    throw new SallyportError("USAGE", `the body cannot be read: ${(error as Error).message}`);
  }
}

/** TERM=dumb is a terminal without any. */
const colours = (): boolean =>
  process.stdout.isTTY === true && !process.env.NO_COLOR && process.stdout.hasColors();

/** Bytes as base64; everything else as it is. */
const jsonOf = (found: Explanation): string => `${JSON.stringify(found, asBase64, 2)}\n`;

function asBase64(_key: string, value: unknown): unknown {
  const isBuffer = (value as { type?: string } | null)?.type === "Buffer";
  return isBuffer ? Buffer.from((value as { data: number[] }).data).toString("base64") : value;
}
