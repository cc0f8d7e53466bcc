// The application of a Django project, found from its manage.py: people know that file, and seldom the application's name.
// Tested by test/cli/target.test.ts.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface DjangoApplication {
  /** "shop.wsgi:application". */
  readonly name: string;
  /** The directory of manage.py: modules are imported from there. */
  readonly directory: string;
}

const SETTINGS = /DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']/;

/**
 * The `application` of the module wsgi or asgi beside the settings, or in a package above them: where `startproject` puts
 * them. Without `wanted` WSGI comes first. Undefined when `path` is no manage.py, or there is neither.
 */
export function djangoApplication(path: string, wanted?: "wsgi" | "asgi"): DjangoApplication | undefined {
  const [, settings] = SETTINGS.exec(readFileSync(path, "utf8")) ?? [];
  if (settings === undefined) return undefined;
  const directory = dirname(path);
  for (const kind of wanted ? [wanted] : ["wsgi", "asgi"])
    for (const place of placesAbove(settings))
      if (existsSync(`${join(directory, ...place.split("."), kind)}.py`))
        return { name: `${place}.${kind}:application`, directory };
  return undefined;
}

/** "shop.settings" and "shop" of "shop.settings.dev". */
function placesAbove(module: string): string[] {
  const parts = module.split(".");
  return parts.slice(1).map((_, i) => parts.slice(0, parts.length - 1 - i).join("."));
}
