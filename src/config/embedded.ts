// Apps that run inside the server process.
// Tested by test/cluster/reload.test.ts.
import type { AppSettings, Settings } from "./config.ts";

/** A process that hangs in a call of such an app hears no signal. */
export const isEmbedded = (app: AppSettings): boolean => "mode" in app && app.mode === "embedded";

export const hasEmbedded = ({ apps }: Settings): boolean => Object.values(apps).some(isEmbedded);
