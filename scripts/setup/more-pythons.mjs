// A CPython that few machines have yet, put beside theirs: `.cache/pythons/3.14/...`. It comes as a Java archive, since
// that is the one form in which a package registry has a whole interpreter with its shared library; Maven fetches it.
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { output, run, say, which } from "./programs.mjs";
import { findPythons } from "./pythons.mjs";

const PLATFORMS = { "linux x64": "linux-x86_64", "linux arm64": "linux-arm64" };

/**
 * Unpacks those of the list that the machine has not. What cannot be had is left out with a message, and is no failure: the
 * versions that are here are tested.
 */
export function morePythons(root, list) {
  for (const { minor, artifact } of list) {
    const wanted = !findPythons(root).some((python) => python.minor === minor);
    const problem = wanted ? unpack(root, minor, artifact) : undefined;
    if (problem) say(`left out: CPython 3.${minor}: ${problem}`);
  }
}

/** Gives what went wrong, undefined when the interpreter runs. */
function unpack(root, minor, artifact) {
  const platform = PLATFORMS[`${process.platform} ${process.arch}`];
  if (!platform) return "there is no build for this platform";
  if (!which("mvn")) return "fetching it needs Maven";
  say(`fetching CPython 3.${minor}`);
  const folder = join(root, ".cache", "pythons", `3.${minor}`);
  mkdirSync(folder, { recursive: true });
  const failure = run("mvn", ["-q", "-B", "dependency:unpack", ...options(artifact, platform, folder)], {
    cwd: folder,
    timeout: 5 * 60_000,
  });
  return failure
    ? failure.trim().split("\n").at(-1)
    : check(join(folder, ...inside(artifact, platform), "bin"), minor);
}

const options = (artifact, platform, folder) => [
  `-Dartifact=${artifact}:jar:${platform}`,
  `-DoutputDirectory=${folder}`,
];

/** Archives of this family keep everything below their own name. */
const inside = (artifact, platform) => {
  const [group, name] = artifact.split(":");
  return [...group.split("."), name, platform];
};

function check(bin, minor) {
  const program = join(bin, `python3.${minor}`);
  if (!existsSync(program)) return "not found in its archive";
  chmodSync(program, 0o755); // Java archives know no permissions.
  return output(program, ["-V"]) ? undefined : "it does not run here";
}
