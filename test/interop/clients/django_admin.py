"""Visits the Django admin as a person would and prints what was seen. Usage: django_admin.py URL"""

import json
import re
import sys
from urllib.parse import urlsplit

import requests

url = sys.argv[1]
browser = requests.Session()
seen = {}


def post(path, **fields):
    """Fills in the form at `path`: its page is fetched first, for the CSRF token."""
    page = browser.get(url + path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text).group(1)
    return browser.post(page.url, data={"csrfmiddlewaretoken": token, **fields}, headers={"Referer": page.url})


def find(pattern, response):
    match = re.search(pattern, response.text)
    return match.group() if match else f"{response.status_code}: {response.text[:2000]}"


asked = urlsplit(browser.get(url + "/admin/").url)
seen["without_login"] = [asked.path, asked.query]
wrong = post("/admin/login/", username="admin", password="wrong")
seen["wrong_password"] = find("Please enter the correct username and password", wrong)
home = post("/admin/login/?next=/admin/", username="admin", password="secret")
seen["after_login"] = find("Site administration", home)
cookie = next(cookie for cookie in browser.cookies if cookie.name == "sessionid")
seen["session_cookie"] = {"httponly": cookie.has_nonstandard_attr("HttpOnly"), "path": cookie.path}

added = post("/admin/library/book/add/", title="Ὀδύσσεια", year="1488")
seen["added"] = find("was added successfully", added)
number = re.search(r"/admin/library/book/(\d+)/change/", added.text).group(1)
seen["on_the_site"] = find(r"<li>[^<]*</li>", requests.get(url + "/"))
changed = post(f"/admin/library/book/{number}/change/", title="The Odyssey", year="1488")
seen["changed"] = find("was changed successfully", changed)
seen["after_change"] = find(r"<li>[^<]*</li>", requests.get(url + "/"))
deleted = post(f"/admin/library/book/{number}/delete/", post="yes")
seen["deleted"] = find("was deleted successfully", deleted)
seen["after_delete"] = find(r"<li>[^<]*</li>", requests.get(url + "/"))

token = browser.cookies["csrftoken"]
browser.post(url + "/admin/logout/", data={"csrfmiddlewaretoken": token}, headers={"Referer": url})
seen["after_logout"] = urlsplit(browser.get(url + "/admin/").url).path
print(json.dumps(seen))
