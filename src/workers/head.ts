// Response heads as workers send them: checked there, and joined into lines as HTTP/1.1 has them.
import { HeadLines } from "../exchange/index.ts";
import type { Payload } from "./link.ts";

/** The part of a payload from byte `from` on, up to before `to`: one byte of what is known of the lines, and the lines. */
export function decodeResponseHead(payload: Payload, from: number, to: number): HeadLines {
  const text = payload.text(from, to);
  return new HeadLines(text.slice(1), text.charCodeAt(0));
}
