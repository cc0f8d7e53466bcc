// What a running server says of itself, asked without a process for each question, as tests ask again and again.
import { askServer } from "../../src/control/client.ts";
import type { ServerStatus } from "../../src/control/operations.ts";

/** Rejects when there is no answer at the control socket. */
export const statusAt = async (socket: string): Promise<ServerStatus> =>
  (await askServer(socket, { method: "GET", path: "/status" })) as ServerStatus;
