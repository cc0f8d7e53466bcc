// Puts the demonstration together: one server whose apps are the doors, each watched, and the site that shows them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config, Settings } from "../config/config.ts";
import { checkConfig } from "../config/errors.ts";
import type { Gateway, Log } from "../exchange/index.ts";
import { guard } from "../processes/index.ts";
import { type Server, serverOf } from "../server/server.ts";
import { ListeningApplication } from "./application.ts";
import { type DoorConfig, doorConfigs, socketOf } from "./apps-config.ts";
import { Behind } from "./behind.ts";
import { DOORS, type Door, type DoorName } from "./door.ts";
import { DoorGateway } from "./door-gateway.ts";
import { APPS, applicationOf, doorOf, isDoor } from "./doors.ts";
import { isHere, machineOf, type ProgramsHere, programsHere } from "./machine.ts";
import { Races } from "./race.ts";
import { Recordings } from "./recordings.ts";
import { type SiteParts, siteGateway } from "./site.ts";

export interface DemonstrationOptions {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly log: Pick<Settings["log"], "level" | "format">;
}

export interface Demonstration {
  /** Not started yet. */
  readonly server: Server;
  /** Where it can be opened on this machine, without a slash at the end; "" before it has started. */
  readonly url: string;
  /** As they are now. */
  readonly doors: readonly Door[];
  /** After the server has stopped. Never rejects. */
  close(): Promise<void>;
}

/** Rejects with a SallyportError. */
export async function demonstration(options: DemonstrationOptions): Promise<Demonstration> {
  const programs = await programsHere(APPS);
  const directory = await mkdtemp(join(tmpdir(), "sallyport-demo-"));
  guard.enlistDirectory(directory);
  return new Stage(options, programs, directory);
}

class Stage implements Demonstration {
  readonly server: Server;
  readonly #programs: ProgramsHere;
  readonly #directory: string;
  readonly #configs: ReadonlyMap<DoorName, DoorConfig>;
  /** Those that this machine can have, by name. */
  readonly #gateways = new Map<string, DoorGateway>();
  readonly #races: Races;
  readonly #behind: Behind;
  #recordings!: Recordings;

  constructor(options: DemonstrationOptions, programs: ProgramsHere, directory: string) {
    this.#programs = programs;
    this.#directory = directory;
    this.#configs = doorConfigs({ programs, directory });
    this.server = serverOf(checkConfig(this.#config(options)), {
      directory: APPS,
      inspection: (server) => {
        this.#recordings = new Recordings(this.#gateways, server);
        return this.#recordings;
      },
      // The place at which a server lets somebody else stand around its gateways.
      development: {
        gateway: (name, app, log, make) =>
          isDoor(name) ? this.#watched(name, log, make) : (app as unknown as Gateway),
      },
    });
    this.#races = new Races({
      url: () => this.url,
      doors: this.#gateways,
      whyClosed: (door) => this.#whyClosed(door),
      log: this.server.log,
    });
    const behindNginx = isHere(programs.python) ? "wsgi" : "fetch";
    this.#behind = new Behind({
      nginx: programs.nginx,
      directory,
      door: behindNginx,
      gateway: () => this.#recordings.around(this.#gateways.get(behindNginx) as Gateway, behindNginx),
      recording: (id) => this.#recordings.view(id),
      log: this.server.log,
    });
  }

  get url(): string {
    return reachable(this.server.urls[0] ?? "");
  }

  get doors(): readonly Door[] {
    return DOORS.map((door) => doorOf(door, this.#whyClosed(door)));
  }

  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {});
    guard.releaseDirectory(this.#directory);
  }

  #config({ host, port, log }: DemonstrationOptions): Config {
    const doors = [...this.#configs].flatMap(([door, config]) =>
      "app" in config ? [[door, config.app] as const] : [],
    );
    return {
      listen: [host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`],
      apps: { site: siteGateway(this.#site(host)), ...Object.fromEntries(doors) },
      routes: [{ path: "/", app: "site" }, ...doors.map(([door]) => ({ path: `/${door}`, app: door }))],
      limits: { body: LARGEST_BODY },
      log: { ...log, access: "off" },
      grace: GRACE,
    };
  }

  #site(host: string): SiteParts {
    return {
      host,
      doors: () => ({ machine: machineOf(this.#programs), doors: this.doors }),
      recording: (id) => this.#recordings.view(id),
      race: (request, exchange) => this.#races.begin(request, exchange),
      behind: ({ protocol }) => this.#behind.ask(protocol),
      close: async () => {
        await Promise.all([this.#races.close(), this.#behind.close()]);
      },
    };
  }

  #watched(door: DoorName, log: Log, make: () => Promise<Gateway>): DoorGateway {
    const gateway = new DoorGateway(doorOf(door, undefined), make, this.#application(door, log));
    this.#gateways.set(door, gateway);
    return gateway;
  }

  /** Its own process, where the server does not start one. */
  #application(door: DoorName, log: Log): ListeningApplication | undefined {
    const { python } = this.#programs;
    if ((door !== "scgi" && door !== "uwsgi") || !isHere(python)) return undefined;
    return new ListeningApplication({
      command: [python.path, join(APPS, applicationOf(door))],
      socket: socketOf(door, this.#directory),
      directory: APPS,
      log,
    });
  }

  #whyClosed(door: DoorName): string | undefined {
    const config = this.#configs.get(door);
    return config && "why" in config ? config.why : this.#gateways.get(door)?.why;
  }
}

const LARGEST_BODY = "16M";
/** For requests under way when the demonstration ends. */
const GRACE = "3s";

/** From this machine, also where it listens at all addresses. */
const reachable = (url: string): string =>
  url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:").replace(/\/$/, "");
