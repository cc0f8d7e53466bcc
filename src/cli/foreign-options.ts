// Options that people bring along from other servers, and what is said here instead.

/** By the option as it is written there: whose it is, and ours in its place, or why there is none. */
const FOREIGN: Readonly<Record<string, readonly [theirs: string, ours: string]>> = {
  "--bind": ["gunicorn and Hypercorn", "--http ADDRESS, or --host and --port"],
  "-b": ["gunicorn and Hypercorn", "--http ADDRESS, or --host and --port"],
  "--uds": ["uvicorn", "--unix PATH"],
  "--socket": ["uWSGI", "--uwsgi ADDRESS"],
  "--http-socket": ["uWSGI", "--http ADDRESS"],
  "--workers": ["gunicorn, uvicorn and Granian", "--processes N"],
  "-w": ["gunicorn and Hypercorn", "--processes N"],
  "-p": ["uWSGI and gunicorn", "--processes N, or for a port --port N"],
  "--blocking-threads": ["Granian", "--threads N"],
  "--worker-class": [
    "gunicorn",
    "no option: WSGI and ASGI are told apart by a look at the app (--interface says which)",
  ],
  "-k": [
    "gunicorn and Hypercorn",
    "no option: WSGI and ASGI are told apart by a look at the app (--interface says which)",
  ],
  "--worker-connections": ["gunicorn", "--max-connections N"],
  "--limit-concurrency": ["uvicorn", "--max-connections N"],
  "--limit-max-requests": ["uvicorn", "--max-requests N"],
  "--max-requests-jitter": ["gunicorn", "no option: --max-requests varies by a tenth"],
  "--cheaper": ["uWSGI", "--processes MIN:MAX"],
  "--workers-lifetime": ["Granian", "--max-age TIME"],
  "--max-worker-lifetime": ["uWSGI", "--max-age TIME"],
  "--workers-max-rss": ["Granian", "--max-memory SIZE"],
  "--reload-on-rss": ["uWSGI", "--max-memory SIZE"],
  "--evil-reload-on-rss": ["uWSGI", "--memory-limit SIZE"],
  "-t": ["gunicorn", "--timeout TIME"],
  "--harakiri": ["uWSGI", "--timeout TIME"],
  "--graceful-timeout": ["gunicorn", "--grace TIME"],
  "--timeout-graceful-shutdown": ["uvicorn", "--grace TIME"],
  "--keep-alive": ["gunicorn and Hypercorn", "--idle-timeout TIME"],
  "--timeout-keep-alive": ["uvicorn", "--idle-timeout TIME"],
  "--limit-request-line": ["gunicorn", "--max-target SIZE"],
  "--limit-request-fields": ["gunicorn", "--max-header-count N"],
  "--limit-request-field_size": ["gunicorn", "--max-header-bytes SIZE"],
  "--access-logfile": ["gunicorn and Hypercorn", "--access-log FILE"],
  "--no-access-log": ["uvicorn", "--access-log off"],
  "--error-logfile": ["gunicorn", "no option: the log is standard error"],
  "--log-file": ["gunicorn", "no option: the log is standard error"],
  "--forwarded-allow-ips": ["gunicorn and uvicorn", "--trust PEER"],
  "--proxy-headers": ["uvicorn", "--trust PEER"],
  "--root-path": ["uvicorn and Hypercorn", "--mount PREFIX"],
  "--app-dir": ["uvicorn", "--chdir DIR"],
  "--pythonpath": ["gunicorn", "--chdir DIR, or --env PYTHONPATH=DIR"],
  "--venv": ["uWSGI", "--python DIR/bin/python"],
  "-H": ["uWSGI", "--python DIR/bin/python"],
  "--virtualenv": ["uWSGI", "--python DIR/bin/python"],
  "--module": ["uWSGI", "the app as the target: sallyport serve MODULE:CALLABLE"],
  "--wsgi-file": ["uWSGI", "the app as the target: sallyport serve MODULE:CALLABLE"],
  "--wsgi": ["Granian and uWSGI", "--interface wsgi"],
  "--asgi": ["Granian", "--interface asgi"],
  "--factory": ["uvicorn", "the target with parentheses: sallyport serve 'module:create_app()'"],
  "--certfile": ["gunicorn and Hypercorn", "--tls-cert FILE"],
  "--keyfile": ["gunicorn and Hypercorn", "--tls-key FILE"],
  "--ca-certs": ["gunicorn and Hypercorn", "--tls-ca FILE"],
  "--ssl-certfile": ["uvicorn", "--tls-cert FILE"],
  "--ssl-keyfile": ["uvicorn", "--tls-key FILE"],
  "--ssl-ca-certs": ["uvicorn", "--tls-ca FILE"],
  "--ssl-certificate": ["Granian", "--tls-cert FILE"],
  "--reload-dir": [
    "uvicorn",
    "no option: the directory of the app is watched (--reload-include adds patterns)",
  ],
  "--preload": ["gunicorn", "no option: an app that cannot be imported is told at the start in any case"],
  "--daemon": ["gunicorn", "no option: leave that to systemd or to the container"],
  "-D": ["gunicorn", "no option: leave that to systemd or to the container"],
  "--master": ["uWSGI", "no option: there always is one"],
  "--ini": ["uWSGI", "--config FILE (docs/configuration.md)"],
  "-c": ["gunicorn", "--config FILE (docs/configuration.md)"],
  "--static-map": ["uWSGI", "a configuration with an app of kind static (docs/configuration.md)"],
  "-S": ["php", "sallyport serve DIRECTORY, or a configuration with an app of kind php"],
};

/** What to say of an option that is another server's; undefined when it is nobody's that is known. */
export function foreignOption(written: string): string | undefined {
  const known = FOREIGN[written];
  if (!known) return undefined;
  const [theirs, ours] = known;
  return `${written} is an option of ${theirs}; here it is ${ours}`;
}

/** Their names, for tests. */
export const FOREIGN_OPTIONS: readonly string[] = Object.keys(FOREIGN);
