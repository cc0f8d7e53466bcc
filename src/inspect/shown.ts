// A recording as it is sent to the inspector's page: with the interface that its app has now, and bytes as base64.
// Tested by test/admin/inspection.test.ts.
import type { AppSettings } from "../config/config.ts";
import type { Exchange } from "../exchange/index.ts";
import { contextOf, interfaceOf } from "../explain/app.ts";
import { INTERFACES, type InterfaceName } from "../explain/facts.ts";
import type { HandoverContext } from "../explain/handover.ts";
import type { InspectedServer } from "../server/interface.ts";
import type { Recording } from "./captured-exchange.ts";
import { stillOf, viewOf } from "./view.ts";

/** Never rejects: what the app was handed is left out where it cannot be made again. */
export async function shownRecording(recording: Recording, server: InspectedServer): Promise<object> {
  const [named, context] = await surroundings(recording, server).catch(() => NOTHING);
  const view = viewOf(recording, named, context);
  const { handover } = view;
  const messages = handover?.messages.map((each) => ({ ...each, bytes: each.bytes.toString("base64") }));
  return { ...view, handover: handover && { ...handover, messages } };
}

type Surroundings = readonly [InterfaceName | undefined, HandoverContext];

async function surroundings(recording: Recording, server: InspectedServer): Promise<Surroundings> {
  const { settings } = server.app(recording.app);
  const named = nameOf(server.interfaceOf(recording.app), settings);
  if (!named) return NOTHING;
  const exchange: Exchange = stillOf(recording, recording.request);
  return [named, await contextOf(named, settings, exchange, server.directory, false)];
}

/** As the gateway says it, if it knows; otherwise as it is configured. */
function nameOf(said: string, settings: AppSettings): InterfaceName | undefined {
  const name = INTERFACES.find((each) => each === said.toLowerCase());
  return name ?? interfaceOf(settings).interface;
}

/** Of an app that is no more, or that the server answers for. */
const NOTHING: Surroundings = [
  undefined,
  {
    inherited: {},
    variables: {},
    program: { file: "", mount: "", interpreter: undefined, nph: false },
    documentRoot: "",
    argvFromQuery: false,
    byProxy: false,
    threads: 1,
    processes: 1,
  },
];
