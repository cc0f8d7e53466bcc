// What becomes of our children when we are killed and can do nothing any more (SIGKILL, a crash, out of memory): a shell
// waits for that, and then ends the process groups that it was told of, and removes our directories. Not the kernel's
// PR_SET_PDEATHSIG: it takes a program of ours inside the child, and passes over the children of children.
import { type ChildProcess, spawn } from "node:child_process";

/** Our end shows as the end of its input. What it is told: `+ GROUP`, `- GROUP`, `/ DIRECTORY`, `. DIRECTORY` (released). */
const SCRIPT = `
trap '' INT TERM HUP
groups=' '
while read -r what name; do
  case $what in
    +) groups="$groups$name " ;;
    -) groups="\${groups%% $name *} \${groups#* $name }" ;;
    /) set -- "$@" "$name" ;;
    .) for each do shift; [ "$each" = "$name" ] || set -- "$@" "$each"; done ;;
  esac
done
end() { for group in $groups; do kill -s "$1" -- "-$group"; done; }
case $groups in *[0-9]*) end TERM; sleep 1; end KILL ;; esac
[ $# = 0 ] || rm -rf -- "$@"
`;

export class Guard {
  readonly #enlisted = new Set<string>();
  #shell: ChildProcess | undefined;

  /** `group` ends with us, TERM first and KILL a second later, unless it is released. */
  enlist(group: number): void {
    this.#add(`+ ${group}`);
  }

  release(group: number): void {
    if (this.#enlisted.delete(`+ ${group}`)) this.#send(`- ${group}`);
  }

  /** `directory` goes with us, and all that is in it, unless it is released. */
  enlistDirectory(directory: string): void {
    if (!directory.includes("\n")) this.#add(`/ ${directory}`);
  }

  releaseDirectory(directory: string): void {
    if (this.#enlisted.delete(`/ ${directory}`)) this.#send(`. ${directory}`);
  }

  #add(line: string): void {
    this.#enlisted.add(line);
    if (this.#shell) this.#send(line);
    else this.#start();
  }

  #start(): void {
    // In a session of its own, so that what a terminal sends to all of us does not reach it.
    const shell = spawn("/bin/sh", ["-c", SCRIPT], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      cwd: "/",
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
    });
    this.#shell = shell;
    const gone = (): void => {
      if (this.#shell === shell) this.#shell = undefined;
    };
    // Without a shell we are no worse off than without a guard.
    shell.once("error", gone).once("exit", gone);
    shell.stdin?.on("error", gone);
    shell.unref();
    (shell.stdin as unknown as { unref?(): void } | null)?.unref?.();
    for (const line of this.#enlisted) this.#send(line);
  }

  #send(line: string): void {
    this.#shell?.stdin?.write(`${line}\n`);
  }
}

/** The one of this process. */
export const guard: Guard = new Guard();
