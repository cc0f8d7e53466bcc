// PHP behind our FastCGI gateway: started by us (php-cgi), and PHP-FPM on TCP and on a Unix socket; with Adminer, a real
// application with sessions and uploads.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import { type Served, serve } from "../kit/serve.ts";
import { Browser } from "./browser.ts";
import { type Peer, startPeer } from "./peer.ts";
import { sha256, upload } from "./site.ts";

const MIB = 1_048_576;
const ADMINER = "/usr/share/adminer/adminer.php";
/** Debian names it by its version. */
const FPM = readdirSync("/usr/sbin").find((name) => name.startsWith("php-fpm")) ?? "php-fpm";

const SCRIPTS: Readonly<Record<string, string>> = {
  "adminer.php": `<?php
    function adminer_object() {
      class Passwordless extends Adminer { function login($login, $password) { return true; } }
      return new Passwordless;
    }
    include "${ADMINER}";`,
  "show.php": `<?php
    header("Content-Type: application/json");
    echo json_encode(array_intersect_key($_SERVER, array_flip(["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "PHP_SELF",
      "REQUEST_URI", "DOCUMENT_ROOT", "SCRIPT_FILENAME"])));`,
  "upload.php": `<?php
    $file = $_FILES["file"];
    echo $file["name"], " ", $file["size"], " ", hash_file("sha256", $file["tmp_name"]);`,
  "session.php": "<?php session_start(); echo $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;",
  "midway.php":
    "<?php echo 'partial'; while (ob_get_level()) ob_end_flush(); flush(); posix_kill(getmypid(), 9);",
  "upload/x.jpg": "<?php echo 'the hole is open';",
  "books.db": "",
};

/** The directory of a site. */
async function makeSite(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "sallyport-php-"));
  await mkdir(join(root, "upload"));
  for (const [name, text] of Object.entries(SCRIPTS)) await writeFile(join(root, name), text);
  return root;
}

const DUMP = "CREATE TABLE books (title text); INSERT INTO books VALUES ('Ὀδύσσεια'), ('Ilias');";

describe("PHP", { skip: missing("php-cgi", FPM) }, () => {
  let root: string;
  let fpm: Peer;

  before(async () => {
    root = await makeSite();
    fpm = await startPeer({
      config: "php-fpm/php-fpm.conf",
      command: (config) => [FPM, ...asRoot(), "-y", config],
    });
  });
  after(async () => {
    await fpm?.stop();
    await rm(root, { recursive: true, force: true });
  });

  const ways: Readonly<Record<string, () => unknown>> = {
    "php-cgi, started by us": () => ({
      command: ["php-cgi", ...limits(root)],
      processes: 2,
    }),
    "PHP-FPM on TCP": () => fpm.url().slice("http://".length),
    "PHP-FPM on a Unix socket": () => `unix:${fpm.folder}/php.sock`,
  };

  for (const [name, fastcgi] of Object.entries(ways))
    describe(name, () => {
      let site: Served;
      before(async () => {
        const config = join(root, "sallyport.config.json");
        await writeFile(
          config,
          JSON.stringify({ listen: ["127.0.0.1:0"], apps: { site: { php: ".", fastcgi: fastcgi() } } }),
        );
        site = await serve(["--config", config]);
      });
      after(() => site?.stop());
      const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

      test("a path is split into script, PATH_INFO and query", async () => {
        assert.deepEqual(await (await get("/show.php/a%20b/c?x=1&y")).json(), {
          SCRIPT_NAME: "/show.php",
          PATH_INFO: "/a b/c",
          QUERY_STRING: "x=1&y",
          PHP_SELF: "/show.php/a b/c",
          REQUEST_URI: "/show.php/a%20b/c?x=1&y",
          DOCUMENT_ROOT: root,
          SCRIPT_FILENAME: join(root, "show.php"),
        });
      });

      test("what was uploaded as a picture never runs, whatever follows it in the path", async () => {
        for (const path of [
          "/upload/x.jpg/y.php",
          "/upload/x.jpg",
          "/upload/x.jpg%00.php",
          "/upload/x.jpg/.php",
        ]) {
          const response = await get(path);
          assert.ok(response.status >= 400, `${path}: ${response.status}`);
          assert.doesNotMatch(await response.text(), /hole/);
        }
      });

      test("an upload of 10 MiB arrives unchanged", async () => {
        const data = Buffer.alloc(10 * MIB, "0123456789");
        const response = await get("/upload.php", { method: "POST", body: upload("a.bin", data) });
        assert.equal(await response.text(), `a.bin ${data.length} ${sha256(data)}`);
      });

      test("a session lasts", async () => {
        const browser = new Browser(site.url);
        for (const visits of ["1", "2", "3"]) assert.equal(await browser.get("/session.php"), visits);
        assert.equal(await new Browser(site.url).get("/session.php"), "1");
      });

      test("a process that dies in the middle of its answer is seen by the client, and replaced", async () => {
        await assert.rejects(
          get("/midway.php").then((response) => (response.ok ? response.text() : Promise.reject())),
        );
        assert.equal((await get("/show.php")).status, 200);
      });

      test(
        "Adminer: login, an uploaded dump is imported, its rows are shown, logout",
        {
          skip: existsSync(ADMINER) ? false : missing("adminer"),
        },
        () => visitAdminer(new Browser(site.url), join(root, `${sha256(name)}.db`)),
      );
    });
});

async function visitAdminer(browser: Browser, database: string): Promise<void> {
  await writeFile(database, "");
  assert.match(await browser.get("/adminer.php"), /name="auth\[username\]"|auth\[username\]/);
  const login = {
    "auth[driver]": "sqlite",
    "auth[server]": "",
    "auth[username]": "ann",
    "auth[password]": "",
  };
  const home = await browser.post("/adminer.php", { ...login, "auth[db]": database });
  assert.match(home, /No tables/);
  const place = `/adminer.php?sqlite=&username=ann&db=${encodeURIComponent(database)}`;
  const form = await browser.get(`${place}&import=`);
  const dump = new FormData();
  dump.append("token", tokenIn(form));
  dump.append("sql_file[]", new Blob([DUMP], { type: "application/sql" }), "books.sql");
  assert.match(await browser.post(`${place}&import=`, dump), /1 row|2 rows|queries executed/);
  assert.match(await browser.get(`${place}&select=books`), /Ὀδύσσεια[\s\S]*Ilias/);
  assert.match(
    await browser.post(place, { logout: "1", token: tokenIn(form) }),
    /Logout successful|auth\[username\]/,
  );
}

const tokenIn = (page: string): string => /name=['"]token['"] value=['"]([^'"]+)/.exec(page)?.[1] ?? "";

const limits = (folder: string): string[] =>
  [`session.save_path=${folder}`, "upload_max_filesize=20M", "post_max_size=20M"].flatMap((one) => [
    "-d",
    one,
  ]);

/** PHP-FPM runs as root only with this option. */
const asRoot = (): string[] => (process.getuid?.() === 0 ? ["-R"] : []);
