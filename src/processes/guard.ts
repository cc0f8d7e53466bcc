// Cleans up when this process is killed (SIGKILL, a crash, out of memory): a shell waits for our end, then ends the process
// groups on its list and removes our directories. Processes that end by themselves it gives some time. Not the kernel's PR_SET_PDEATHSIG: that needs a program of ours inside the
// child, and does not reach the children of children.
// Tested by test/processes/child.test.ts.
import { type ChildProcess, spawn } from "node:child_process";

/**
 * Its input ends with us. Commands: `+ GROUP`, `- GROUP` (released), `/ DIRECTORY`, `. DIRECTORY` (released), `! PID:SECONDS`,
 * `= PID:SECONDS` (released). It looks at the processes each second, so that a number is not used after it may have another owner.
 */
const SCRIPT = `
trap '' INT TERM HUP USR1
groups=' '
processes=' '
while read -r what name; do
  case $what in
    +) groups="$groups$name " ;;
    -) groups="\${groups%% $name *} \${groups#* $name }" ;;
    !) processes="$processes$name " ;;
    =) processes="\${processes%% $name *} \${processes#* $name }" ;;
    /) set -- "$@" "$name" ;;
    .) for each do shift; [ "$each" = "$name" ] || set -- "$@" "$each"; done ;;
  esac
done
end() { for group in $groups; do kill -s "$1" -- "-$group"; done; }
case $groups in *[0-9]*) end TERM; sleep 1; end KILL ;; esac
[ $# = 0 ] || rm -rf -- "$@"
waited=0
while :; do
  left=' '
  for each in $processes; do
    pid=\${each%:*}
    kill -0 "$pid" || continue
    if [ "$waited" -ge "\${each#*:}" ]; then kill -s KILL "$pid"; else left="$left$each "; fi
  done
  case $left in *[0-9]*) ;; *) break ;; esac
  processes=$left
  sleep 1
  waited=$((waited + 1))
done
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

  /** The process is killed when it lives on for `seconds` after us, unless it is released. */
  enlistProcess(pid: number, seconds: number): void {
    this.#add(`! ${pid}:${seconds}`);
  }

  releaseProcess(pid: number, seconds: number): void {
    if (this.#enlisted.delete(`! ${pid}:${seconds}`)) this.#send(`= ${pid}:${seconds}`);
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
