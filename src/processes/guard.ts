// Cleans up when this process is killed (SIGKILL, a crash, out of memory): a shell waits for our end, then ends the process
// groups on its list and removes our directories. Not the kernel's PR_SET_PDEATHSIG: that needs a program of ours inside the
// child, and does not reach the children of children.
// Tested by test/processes/child.test.ts.
import { type ChildProcess, spawn } from "node:child_process";

/** Its input ends with us. Commands: `+ GROUP`, `- GROUP` (released), `/ DIRECTORY`, `. DIRECTORY` (released). */
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

  /** `directory` is removed with all its contents when we end, unless it is released. */
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
    // In a session of its own, so that signals of a terminal to our group do not reach it.
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
    // Without a shell there is no guard; all else works.
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

/** Shared by the whole process. */
export const guard: Guard = new Guard();
