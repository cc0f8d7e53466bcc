// Node's own Request and Response, also where the global ones are others by now, and what classes that stand for them need.
// Tested by test/apps/fast-request.test.ts.

type Class = typeof Request | typeof Response;
type Parts = readonly (readonly [name: string, descriptor: PropertyDescriptor])[];

// What these methods give is made by Node's code, and never an instance of a subclass.
export const BuiltInRequest: typeof Request = new Request("http://localhost/").clone()
  .constructor as typeof Request;
export const BuiltInResponse: typeof Response = Response.error().constructor as typeof Response;

/** A class whose objects are instances of `of`, and have nothing of what its constructor makes. */
export function shellOf<C extends Class>(of: C): C {
  const shell = class {};
  Object.setPrototypeOf(shell, of);
  Object.setPrototypeOf(shell.prototype, of.prototype);
  return shell as unknown as C;
}

/** The accessors and methods that its objects have, but for those under symbols. */
export const partsOf = ({ prototype }: Class): Parts =>
  Object.entries(Object.getOwnPropertyDescriptors(prototype)).filter(([name]) => name !== "constructor");
