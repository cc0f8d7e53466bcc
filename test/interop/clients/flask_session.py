"""Logs in to the Flask site, comes back, looks in as a stranger, logs out. Usage: flask_session.py URL"""

import json
import re
import sys

import requests

url = sys.argv[1]
me = requests.Session()
seen = {
    "after_login": me.post(url + "/login", data={"user": "ann"}).json(),
    "next": me.get(url + "/profile").json(),
    "stranger": requests.get(url + "/profile").json(),
    "visits": re.search(r"Visits: \d+", me.get(url + "/").text).group(),
}
me.post(url + "/logout")
seen["after_logout"] = me.get(url + "/profile").json()
print(json.dumps(seen))
