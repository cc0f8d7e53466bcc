"""What two Python clients see of httpbin. Usage: httpbin_tour.py URL"""

import json
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import requests
from requests.auth import HTTPDigestAuth

url = sys.argv[1]
session = requests.Session()
seen = {}

digest = session.get(url + "/digest-auth/auth/ann/secret", auth=HTTPDigestAuth("ann", "secret")).json()
seen["digest"] = {name: digest[name] for name in ("authenticated", "user")}
session.get(url + "/cookies/set?flavour=oat&size=big")
cookies = session.get(url + "/cookies").json()["cookies"]
seen["cookies"] = {"cookies": {name: cookies[name] for name in ("flavour", "size")}}
pieces = (f"piece {number} ".encode() for number in range(3))
seen["chunked"] = session.post(url + "/post", data=pieces).json()["data"]
form = session.post(url + "/post", files={"upload": ("a.txt", "file content")}, data={"field": "field value"}).json()
seen["multipart"] = [form["files"]["upload"], form["form"]["field"]]

connection = HTTPConnection(urlsplit(url).netloc)
connection.connect()
first_socket = connection.sock
for _ in range(5):
    connection.request("GET", "/get")
    connection.getresponse().read()
seen["kept_alive"] = connection.sock is first_socket

with httpx.Client() as client:
    seen["httpx_json"] = client.post(url + "/post", json={"a": [1, 2, 3]}).json()["json"]
    with client.stream("GET", url + "/stream/5") as response:
        seen["httpx_stream"] = sum(1 for _ in response.iter_lines())
print(json.dumps(seen))
