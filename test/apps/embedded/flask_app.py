"""What a Flask application holds: the iterators and contexts of its responses."""

import gc

from flask import Flask, send_file
from werkzeug.wsgi import ClosingIterator, FileWrapper

app = Flask(__name__)


@app.get("/")
def hello():
    return "hello"


@app.get("/file")
def file():
    return send_file(__file__)


@app.get("/held")
def held():
    return str(sum(isinstance(each, (ClosingIterator, FileWrapper)) for each in gc.get_objects()))


@app.get("/objects")
def objects():
    gc.collect()
    return str(len(gc.get_objects()))
