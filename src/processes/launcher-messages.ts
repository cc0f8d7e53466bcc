// What the launcher and we tell each other, as JSON on Node's channel. Bytes never take this way: a child's descriptors
// are connections of its own, each opened by the launcher with one line `token descriptor` and then handed to the child.

/** To the launcher. */
export type LauncherMessage =
  | {
      readonly do: "start";
      readonly id: number;
      /** Opens the child's connections; nobody else can know it. */
      readonly token: string;
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string | undefined;
      /** By descriptor: whether it is a connection to us; nothing otherwise. */
      readonly connected: readonly boolean[];
    }
  | { readonly do: "signal"; readonly id: number; readonly signal: NodeJS.Signals }
  | { readonly do: "stop"; readonly id: number; readonly grace: number }
  | { readonly do: "sweep"; readonly group: number };

export type StartMessage = Extract<LauncherMessage, { do: "start" }>;

/** From the launcher. All but `started` are the last word on a child. */
export type LauncherNotice =
  | { readonly is: "ready" }
  | { readonly is: "started"; readonly id: number; readonly pid: number }
  | { readonly is: "failed"; readonly id: number; readonly reason: string }
  /** The socket cannot be reached: somebody tidied the temporary directory. Nothing was started. */
  | { readonly is: "unreachable"; readonly id: number; readonly reason: string }
  | {
      readonly is: "exited";
      readonly id: number;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    };
