// Which files of an application have changed: directories are watched by the kernel, and what belongs to nobody's work (version
// control, caches, installed packages) is left out.
import { existsSync, type Stats } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import picomatch from "picomatch";
import type { Log } from "../exchange/index.ts";

/** Files that an application reads when it starts, or keeps once it has read them: a change needs a new version of it. */
const RESTARTS = [
  ..."*.py *.pyx *.so *.ts *.mts *.cts *.tsx *.js *.mjs *.cjs *.jsx *.json *.toml *.yaml *.yml *.ini *.cfg".split(
    " ",
  ),
  ..."*.html *.htm *.jinja *.jinja2 *.j2 *.mako *.tmpl *.hbs *.ejs *.pug *.mo *.sql .env .env.*".split(" "),
];
/** Files that are read for each request: the page alone is reloaded. */
const SHOWN =
  "*.css *.scss *.less *.svg *.png *.jpg *.jpeg *.gif *.webp *.avif *.ico *.woff *.woff2 *.txt *.md *.php *.xml".split(
    " ",
  );
const NOT_ENTERED = new Set("node_modules __pycache__ site-packages dist-packages".split(" "));
/** Milliseconds without a further change, after which what has changed is told: an editor writes several files. */
const QUIET = 50;
/** The same for more than FEW files: a checkout of another branch, with pauses between its directories. */
const QUIET_AFTER_MANY = 300;
const FEW = 2;
/** Milliseconds after which it is told in any case. */
const LONGEST_QUIET = 500;
const LONGEST_QUIET_AFTER_MANY = 5_000;
/** Files whose names are kept: of more it is only known that there are some. */
const MOST_CHANGED = 1_000;
/** Files outside of the directories. */
const MOST_FOLLOWED = 20_000;

export interface WatcherOptions {
  readonly directories: readonly string[];
  /** Patterns (glob) of more files that need a new version, matched with the file's name, or with its path where they have a "/". */
  readonly include: readonly string[];
  /** Patterns of files that mean nothing. */
  readonly exclude: readonly string[];
  /** `files`: absolute paths. `restart`: a new version is needed. */
  readonly changed: (files: readonly string[], restart: boolean) => void;
  readonly log: Log;
}

export class Watcher {
  readonly #options: WatcherOptions;
  /** Directories that are watched as a whole. */
  readonly #roots: Set<string>;
  readonly #restarts: (path: string) => boolean;
  readonly #shown: (path: string) => boolean;
  readonly #excluded: (path: string) => boolean;
  readonly #watch: FSWatcher;
  readonly #changed = new Set<string>();
  #restart = false;
  /** Files besides those of the directories, wherever they are, and the directories that they are in. */
  readonly #followed = new Set<string>();
  readonly #places = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #since = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#roots = new Set(options.directories);
    this.#restarts = matcher([...RESTARTS, ...options.include]);
    this.#shown = matcher(SHOWN);
    this.#excluded = matcher(options.exclude);
    this.#watch = watch([...options.directories], {
      ignoreInitial: true,
      ignored: (path, stats) => this.#isIgnored(path, stats),
    });
    this.#watch.on("all", (_event, path) => this.#note(path));
    this.#watch.on("error", (error) =>
      options.log.warn(`files are not watched: ${(error as Error).message}`),
    );
  }

  /** Resolves when changes from now on are seen. */
  ready(): Promise<void> {
    return new Promise((resolve) => this.#watch.once("ready", () => resolve()));
  }

  /**
   * Other files, wherever they are: modules that the application imports from elsewhere. Each change of them needs a new
   * version. Their directories are watched, so that one that is removed and made again is seen.
   */
  add(files: readonly string[]): void {
    const fresh = files.filter((file) => !this.#followed.has(file));
    for (const file of fresh.slice(0, MOST_FOLLOWED - this.#followed.size)) this.#followed.add(file);
    const places = new Set(fresh.map((file) => dirname(file)).filter((place) => !this.#places.has(place)));
    for (const place of places) this.#places.add(place);
    if (places.size > 0) this.#watch.add([...places]);
  }

  /** A directory more, with all that is in it, unless it lies in another one. */
  addDirectory(directory: string): void {
    if (this.#roots.has(directory) || this.#rootOf(directory) !== undefined) return;
    this.#roots.add(directory);
    this.#watch.add(directory);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watch.close();
  }

  #isIgnored(path: string, stats: Stats | undefined): boolean {
    const name = basename(path);
    if (this.#roots.has(path) || this.#places.has(path)) return false;
    if (this.#excluded(this.#shownPath(path))) return true;
    if (this.#followed.has(path)) return false;
    if (this.#rootOf(path) === undefined) return stats !== undefined;
    if (stats?.isFile()) return !this.#matters(path);
    if (stats?.isDirectory())
      return name.startsWith(".") || NOT_ENTERED.has(name) || existsSync(join(path, "pyvenv.cfg"));
    return false;
  }

  #matters = (path: string): boolean => {
    const shown = this.#shownPath(path);
    return this.#restarts(shown) || this.#shown(shown);
  };

  /** From the directory that is watched. */
  #shownPath(path: string): string {
    const root = this.#rootOf(path);
    return root ? relative(root, path) : path;
  }

  #rootOf = (path: string): string | undefined =>
    [...this.#roots].find((directory) => path.startsWith(`${directory.replace(/\/$/, "")}/`));

  #note(path: string): void {
    const isFollowed = this.#followed.has(path);
    if (!isFollowed && !this.#matters(path)) return;
    if (this.#changed.size === 0) this.#since = performance.now();
    if (this.#changed.size < MOST_CHANGED) this.#changed.add(path);
    this.#restart ||= isFollowed || this.#restarts(this.#shownPath(path));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), this.#pause());
  }

  /** Milliseconds until what has changed is told. */
  #pause(): number {
    const many = this.#changed.size > FEW;
    const [quiet, longest] = many ? [QUIET_AFTER_MANY, LONGEST_QUIET_AFTER_MANY] : [QUIET, LONGEST_QUIET];
    return Math.max(0, Math.min(quiet, this.#since + longest - performance.now()));
  }

  #tell(): void {
    const [files, restart] = [[...this.#changed], this.#restart];
    this.#changed.clear();
    this.#restart = false;
    this.#options.changed(files, restart);
  }
}

/** Patterns without a "/" mean the file's name. */
function matcher(patterns: readonly string[]): (path: string) => boolean {
  const names = picomatch([...patterns.filter((pattern) => !pattern.includes("/"))], { dot: true });
  const paths = picomatch([...patterns.filter((pattern) => pattern.includes("/"))], { dot: true });
  return (path) => names(basename(path)) || paths(path);
}
