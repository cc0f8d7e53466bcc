// The names of the protocols that a listener may speak, as an address has them in front.

export const PROTOCOLS = ["http", "fastcgi", "scgi", "uwsgi"] as const;
export type Protocol = (typeof PROTOCOLS)[number];
