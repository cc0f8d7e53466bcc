"""Extension modules at work inside the server process: each page is a real computation whose answer is known."""

import hashlib
import io
import json
import sqlite3
import ssl
import zlib


def _ssl():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.org")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    # Compiled into the library: tells which one it is.
    place = ssl.get_default_verify_paths().openssl_cafile
    return {"hello": outgoing.read()[:1].hex(), "place": place}


def _hashlib():
    return {"sha256": hashlib.sha256(b"sallyport").hexdigest(), "scrypt": _scrypt()}


def _scrypt():
    return hashlib.scrypt(b"password", salt=b"salt", n=16, r=8, p=1, dklen=16).hex()


def _sqlite3():
    database = sqlite3.connect(":memory:")
    database.execute("create table numbers (n integer)")
    database.executemany("insert into numbers values (?)", [(n,) for n in range(100)])
    return {"sum": database.execute("select sum(n) from numbers").fetchone()[0], "version": sqlite3.sqlite_version}


def _zlib():
    data = bytes(range(256)) * 400
    return {"same": zlib.decompress(zlib.compress(data, 9)) == data, "version": zlib.ZLIB_RUNTIME_VERSION}


def _lxml():
    from lxml import etree

    root = etree.fromstring(b"<a><b n='1'/><b n='2'/></a>")
    return {"sum": sum(int(n) for n in root.xpath("//b/@n"))}


def _numpy():
    import numpy

    matrix = numpy.arange(9.0).reshape(3, 3) + numpy.eye(3)
    return {"trace": float((matrix @ numpy.linalg.inv(matrix)).trace().round(6))}


def _cryptography():
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.asymmetric import ec

    box = Fernet(Fernet.generate_key())
    key = ec.generate_private_key(ec.SECP256R1())
    return {"text": box.decrypt(box.encrypt(b"secret")).decode(), "bits": key.curve.key_size}


def _psycopg():
    import psycopg

    return {"libpq": psycopg.pq.version() > 0, "quoted": psycopg.sql.Literal("it's").as_string(None)}


def _pillow():
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(data, "PNG")
    image = Image.open(io.BytesIO(data.getvalue()))
    return {"size": image.size, "pixel": image.getpixel((3, 3))}


PAGES = {name[1:]: page for name, page in list(globals().items()) if name.startswith("_") and callable(page)}


def app(environ, start_response):
    body = json.dumps(PAGES[environ["PATH_INFO"][1:]]()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
