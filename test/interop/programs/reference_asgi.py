"""Other people's ASGI servers with our command line, to see that a test asks for what is right: see asgi-site.ts."""

import argparse
import asyncio
import os
import socket
import sys

ANYWHERE = "127.0.0.1"


def settings():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=["uvicorn", "hypercorn"])
    parser.add_argument("app")
    parser.add_argument("--chdir")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    return parser.parse_known_args()[0]


def listening(scheme, port):
    print(f"listening on {scheme}://{ANYWHERE}:{port}", file=sys.stderr, flush=True)


def uvicorn(app, tls):
    from uvicorn import Config, Server

    class Announced(Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            if self.started:
                listening("https" if tls else "http", self.servers[0].sockets[0].getsockname()[1])

    Announced(Config(app, port=0, log_level="warning", **tls)).run()


def hypercorn(app, tls):
    from hypercorn import Config
    from hypercorn.run import run

    with socket.create_server((ANYWHERE, 0)) as taken:
        port = taken.getsockname()[1]
    config = Config()
    config.application_path = app
    config.bind = [f"{ANYWHERE}:{port}"]
    config.workers = 0
    for name, value in tls.items():
        setattr(config, name.replace("ssl_", ""), value)
    if os.fork() == 0:
        asyncio.run(accepts("https" if tls else "http", port))
    else:
        run(config)


async def accepts(scheme, port):
    while True:
        try:
            (await asyncio.open_connection(ANYWHERE, port))[1].close()
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return listening(scheme, port)


if __name__ == "__main__":
    args = settings()
    if args.chdir:
        os.chdir(args.chdir)
    sys.path.insert(0, os.getcwd())
    tls = {"ssl_certfile": args.tls_cert, "ssl_keyfile": args.tls_key} if args.tls_cert else {}
    globals()[args.server](args.app, tls)
