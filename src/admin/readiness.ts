// Whether a load balancer should send requests: the server serves, is not stopping, and every app has what it needs.
import type { ServerProcessStatus, ServerStatus } from "../control/operations.ts";
import type { GatewayStatus } from "../exchange/index.ts";

/** Why the server is not ready; empty when it is. A reload changes nothing: the old generation serves until the new one does. */
export function reasonsAgainst({ state, serverProcesses }: ServerStatus): readonly string[] {
  if (state === "starting" || state === "stopping") return [`the server is ${state}`];
  const serving = serverProcesses.filter((process) => process.state === "serving");
  if (serving.length === 0) return ["no server process serves at the moment"];
  return [...new Set(serving.flatMap(unreadyApps))];
}

const unreadyApps = ({ apps }: ServerProcessStatus): string[] =>
  Object.entries(apps).flatMap(([name, status]) =>
    isReady(status) ? [] : [`app ${name} has no process that is ready`],
  );

/** An app without processes of ours answers by itself; one that may have none starts them when they are needed. */
function isReady({ bounds, processes }: GatewayStatus): boolean {
  if (!bounds || bounds.min === 0) return true;
  return processes.some(({ state }) => state === "idle" || state === "busy");
}
