"""A small Flask site with the features that lean on a server: forms, uploads, sessions, streams, files, redirects."""

import hashlib
import os

from flask import (
    Flask,
    Response,
    abort,
    flash,
    get_flashed_messages,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

app = Flask(__name__)
app.secret_key = "for tests only"


@app.get("/")
def index():
    return render_template("index.html", visits=session.get("visits", 0))


@app.get("/hello/<name>")
def hello(name):
    return f"Hello, {name}!"


@app.post("/form")
def form():
    return jsonify({key: request.form.getlist(key) for key in request.form})


@app.post("/json")
def json_body():
    return jsonify(received=request.get_json())


@app.post("/upload")
def upload():
    return jsonify([describe(file) for file in request.files.getlist("file")])


def describe(file):
    digest, size = hashlib.sha256(), 0
    for piece in iter(lambda: file.stream.read(65536), b""):
        digest.update(piece)
        size += len(piece)
    return {"name": file.filename, "type": file.mimetype, "size": size, "sha256": digest.hexdigest()}


@app.put("/raw")
def raw():
    """A body of unknown length (chunked) is read as it comes."""
    size = sum(len(piece) for piece in iter(lambda: request.stream.read(65536), b""))
    return jsonify(size=size, length=request.content_length)


@app.get("/stream")
def stream():
    @stream_with_context
    def lines():
        for number in range(5):
            yield f"{request.args.get('word', 'line')} {number}\n"

    return Response(lines(), mimetype="text/plain")


@app.get("/events")
def events():
    def two():
        yield "data: one\n\n"
        yield "data: two\n\n"

    return Response(two(), mimetype="text/event-stream")


@app.post("/login")
def login():
    session["user"] = request.form["user"]
    session["visits"] = session.get("visits", 0) + 1
    flash("welcome")
    return redirect(url_for("profile"))


@app.get("/profile")
def profile():
    return jsonify(user=session.get("user"), messages=get_flashed_messages())


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("index"))


@app.get("/source")
def source():
    return send_file(__file__, mimetype="text/x-python", conditional=True)


@app.get("/where")
def where():
    return jsonify(
        url=request.url,
        root=request.root_path,
        path=request.path,
        remote=request.remote_addr,
        query=request.args.to_dict(flat=False),
        external=url_for("hello", name="é", _external=True),
    )


@app.get("/cookies")
def cookies():
    response = Response("two cookies")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2; with, commas")
    return response


@app.get("/header")
def header():
    return jsonify(values=request.headers.getlist(request.args["name"]))


@app.get("/process")
def process():
    return jsonify(pid=os.getpid())


@app.get("/boom")
def boom():
    raise RuntimeError("boom in a view")


@app.get("/teapot")
def teapot():
    abort(418)
