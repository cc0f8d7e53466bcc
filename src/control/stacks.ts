// Where requests are in Python code: cut to what an answer holds, and as text for people.
import type { ProcessStacks, RequestStack, StackFrame } from "../exchange/index.ts";
import { lapse, printable } from "./table.ts";

/** Characters of JSON: an answer of the control socket may have four times as many. */
const MOST = 1_048_576;

/** The processes that fit into one answer; the others are there without their stacks. */
export function fitting(all: readonly ProcessStacks[], most: number = MOST): readonly ProcessStacks[] {
  let size = 0;
  return all.map((each) => {
    size += JSON.stringify(each).length;
    if (size <= most) return each;
    const others = each.others + each.requests.length;
    return { pid: each.pid, requests: [], others, reason: "left out: the answer would be too large" };
  });
}

/** Lines of text, with a line break after each; no escape sequences. */
export function stacksText(app: string, processes: readonly ProcessStacks[]): string {
  const told = processes.map(processText).filter((text) => text !== "");
  return told.length === 0 ? `no request is in the app ${printable(app)} at the moment\n` : told.join("\n");
}

function processText({ pid, requests, others, reason }: ProcessStacks): string {
  const blocks = requests.map((request) => requestText(request, pid, reason !== undefined));
  if (reason !== undefined) blocks.push(`process ${pid ?? "-"}: ${printable(reason)}\n`);
  if (others > 0) blocks.push(`process ${pid ?? "-"}: ${others} more request${others === 1 ? "" : "s"}\n`);
  return blocks.join("\n");
}

const PLACES = {
  thread: "in a thread",
  task: "waits on the event loop",
  loop: "holds the event loop: no other task goes on meanwhile",
} as const;

const NOT_FOUND =
  "  it waits inside the process, or has just ended: no code of the application runs for it\n";

function requestText(
  { method, target, age, place, frames }: RequestStack,
  pid: number | undefined,
  mute: boolean,
): string {
  const where = place ? `, ${PLACES[place]}` : "";
  const heading = `${printable(method)} ${printable(target)}  ${lapse(age)}, process ${pid ?? "-"}${where}\n`;
  if (frames.length > 0) return heading + frames.map(frameText).join("");
  return mute ? heading : heading + NOT_FOUND;
}

/** As Python writes it, the innermost last; the user's own code is marked. */
function frameText({ file, line, function: name, source, app }: StackFrame): string {
  const place = `${app ? ">" : " "} File "${printable(file)}", line ${line}, in ${printable(name)}\n`;
  return source === "" ? place : `${place}      ${printable(source)}\n`;
}
