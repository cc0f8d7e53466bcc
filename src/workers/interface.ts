// The interfaces that Python applications are written for.

export type Interface = "wsgi" | "asgi";

/** As people write them. */
export const INTERFACE_NAMES: Readonly<Record<Interface, string>> = { wsgi: "WSGI", asgi: "ASGI" };
