// Module hooks (Node, "Customization Hooks") by which a module has the version of the one that imports it. Loaded in a thread
// of its own where Node has no hooks in the application's.
// Tested by test/server/reload.test.ts.

export const VERSION_PARAMETER = "sallyport-version";

/** `url` with the version of `parent`; as it is for installed packages, and where `parent` has none. */
export function inherit(url: string, parent: string | undefined): string {
  const version = parent && new RegExp(`[?&]${VERSION_PARAMETER}=(\\d+)`).exec(parent)?.[1];
  if (
    !version ||
    !url.startsWith("file:") ||
    url.includes("/node_modules/") ||
    url.includes(VERSION_PARAMETER)
  )
    return url;
  return `${url}${url.includes("?") ? "&" : "?"}${VERSION_PARAMETER}=${version}`;
}

interface Resolved {
  readonly url: string;
}

export async function resolve(
  specifier: string,
  context: { readonly parentURL?: string },
  next: (specifier: string, context: unknown) => Promise<Resolved>,
): Promise<Resolved> {
  const found = await next(specifier, context);
  return { ...found, url: inherit(found.url, context.parentURL) };
}
