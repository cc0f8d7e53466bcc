// The interfaces that Python applications are written for.

export type Interface = "wsgi" | "asgi";

/** For messages. */
export const INTERFACE_NAMES: Readonly<Record<Interface, string>> = { wsgi: "WSGI", asgi: "ASGI" };
