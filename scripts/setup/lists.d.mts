/** Major versions of Node for each kind of run. */
export declare const NODE: Readonly<Record<"test" | "bench", readonly string[]>>;
