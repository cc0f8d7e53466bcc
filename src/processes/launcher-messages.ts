// The messages between us and the launcher, as JSON on Node's channel. A child's bytes go another way, through pipes of the
// launcher, whose other ends we open. Where there are no pipes, its descriptors are connections, each opened by the launcher
// with one line `token descriptor` and then inherited by the child.
import type { PipeEnds } from "./pipe-maker.ts";

/** To the launcher. */
export type LauncherMessage =
  | {
      readonly do: "start";
      /** A secret that names the child, and opens its connections. */
      readonly token: string;
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string | undefined;
      /** By descriptor: its pipe, or whether it is a connection to us. */
      readonly ends: readonly (PipeEnds | boolean)[];
    }
  /** Pipes that nobody will use. */
  | { readonly do: "discard"; readonly pipes: readonly PipeEnds[] }
  | { readonly do: "signal"; readonly token: string; readonly signal: NodeJS.Signals }
  | { readonly do: "stop"; readonly token: string; readonly grace: number }
  | { readonly do: "sweep"; readonly group: number };

export type StartMessage = Extract<LauncherMessage, { do: "start" }>;

/** From the launcher. */
export type LauncherNotice =
  | { readonly is: "ready" }
  /** More are there for programs to come. None: for now there are no more than those that are left. */
  | { readonly is: "pipes"; readonly pipes: readonly PipeEnds[] }
  | ChildNotice;

/** All but `started` are the last one about a child. */
export type ChildNotice =
  | { readonly is: "started"; readonly token: string; readonly pid: number }
  | { readonly is: "failed"; readonly token: string; readonly reason: string }
  /** The socket cannot be reached, since the temporary directory was cleaned. Nothing was started. */
  | { readonly is: "unreachable"; readonly token: string; readonly reason: string }
  | {
      readonly is: "exited";
      readonly token: string;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    };
