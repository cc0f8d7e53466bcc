// The keys of applications that have processes of their own: as whom they run, within which limits, and what they inherit.
// Tested by test/config/config.test.ts.
import { isAccount } from "../options/isolation.ts";
import { about, count, mask, section, size, text, time } from "./schema.ts";
import * as z from "./zod.ts";

const A_USER = "must be a name or a number";
const ACCOUNT = z
  .union([z.string(), z.number()], { error: A_USER })
  .refine(isAccount, A_USER)
  .meta({ title: "name or number" });

export const account = () => ACCOUNT;

export const rlimits = section({
  openFiles: about(count().exactOptional(), "descriptors (RLIMIT_NOFILE)"),
  memory: about(size().exactOptional(), "address space (RLIMIT_AS)"),
  cpuTime: about(time().exactOptional(), "processor time in all; then the process gets SIGXCPU (RLIMIT_CPU)"),
  processes: about(
    count().exactOptional(),
    "processes and threads that its user has on the whole machine (RLIMIT_NPROC)",
  ),
  core: about(size().exactOptional(), "a core dump; 0 for none (RLIMIT_CORE)"),
  fileSize: about(size().exactOptional(), "a file that it writes (RLIMIT_FSIZE)"),
});

/** `inherited`: the default of `inheritEnv`, in words. */
export const isolation = (inherited: string) => ({
  inheritEnv: about(
    z.array(text()).exactOptional(),
    `variables of the server's environment that are passed on, by name or pattern (\`AWS_*\`), besides those that always are, see below (${inherited})`,
  ),
  user: about(
    account().exactOptional(),
    "user of the processes, with its groups; needs a server that is root",
  ),
  group: about(account().exactOptional(), "group of the processes (the user's)"),
  umask: about(mask().exactOptional(), 'the file mode creation mask, such as `"027"` (the server\'s)'),
  rlimits: about(rlimits.exactOptional(), "limits of the system for each process, see below"),
});
