// What tests and benchmarks need from outside the npm registry. Newest versions on purpose: a framework's new release
// that breaks us is news we want from our own CI first.

const PHP = [
  { package: "php-cgi", probe: { program: "php-cgi" } },
  { package: "php-fpm", probe: { run: ["sh", "-c", "ls /usr/sbin/php-fpm*"] } },
];

/** Debian packages, each with the probe that tells whether what it brings is already here. */
export const DEBIAN = {
  test: [
    { package: "git", probe: { program: "git" } },
    { package: "curl", probe: { program: "curl" } },
    { package: "perl", probe: { program: "perl" } },
    { package: "gcc", probe: { program: "gcc" } },
    { package: "libc6-dev", probe: { file: "/usr/include/stdio.h" } },
    { package: "libcgi-pm-perl", probe: { run: ["perl", "-MCGI", "-e", "1"] } },
    { package: "nginx-light", probe: { program: "nginx" } },
    { package: "gitweb", probe: { file: "/usr/share/gitweb/gitweb.cgi" } },
    { package: "libfcgi-bin", probe: { program: "cgi-fcgi" } },
    { package: "fcgiwrap", probe: { program: "fcgiwrap" } },
    ...PHP,
    { package: "php-sqlite3", probe: { run: ["sh", "-c", "php-cgi -m | grep -q sqlite3"] } },
    { package: "adminer", probe: { file: "/usr/share/adminer/adminer.php" } },
    { package: "apache2", probe: { program: "apache2" } },
    { package: "libapache2-mod-fcgid", probe: { file: "/usr/lib/apache2/modules/mod_fcgid.so" } },
    { package: "lighttpd", probe: { program: "lighttpd" } },
    { package: "caddy", probe: { program: "caddy" } },
    { package: "libfcgi-perl", probe: { run: ["perl", "-MFCGI", "-e", "1"] } },
    { package: "libcgi-fast-perl", probe: { run: ["perl", "-MCGI::Fast", "-e", "1"] } },
  ],
  bench: [
    { package: "wrk", probe: { program: "wrk" } },
    { package: "gcc", probe: { program: "gcc" } },
    { package: "libc6-dev", probe: { file: "/usr/include/stdio.h" } },
    { package: "nginx-light", probe: { program: "nginx" } },
    ...PHP,
  ],
};

/** Python packages for the virtual environment: the real frameworks, their clients, the linter. */
export const PYTHON = {
  test: [
    "flask",
    "django",
    "pyramid",
    "cherrypy",
    "httpbin",
    "webtest",
    "requests",
    "httpx",
    "gunicorn",
    "ruff",
    // Compiled on the spot: what our uwsgi and SCGI gateways are tried on.
    "uwsgi",
  ],
  // Compiled on the spot, so only where it is measured against.
  bench: ["flask", "gunicorn", "uwsgi"],
};
