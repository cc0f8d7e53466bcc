// The protocols that a listener may speak, as an address begins with them (`fastcgi://`).

export const PROTOCOLS = ["http", "fastcgi", "scgi", "uwsgi"] as const;
export type Protocol = (typeof PROTOCOLS)[number];
