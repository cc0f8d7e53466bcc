// Response heads as workers send them: checked by the worker, and in the form of HTTP/1.1.
import { HeadLines } from "../exchange/index.ts";
import type { Payload } from "./link.ts";

/** The bytes of a payload from `from` up to before `to`: one byte of flags, then the lines. */
export function decodeResponseHead(payload: Payload, from: number, to: number): HeadLines {
  const text = payload.text(from, to);
  return new HeadLines(text.slice(1), text.charCodeAt(0));
}
