"""The portal outside development: TLS alone, and cookies that only it can set. Each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[3]
ANSWERS = """
import json, django
django.setup()
from django.test import Client
plain = Client(HTTP_HOST="localhost").get("/login/")
safe = Client(HTTP_HOST="localhost").get("/login/", secure=True)
attributes = ("secure", "path", "domain", "samesite")
cookies = {name: {one: str(cookie[one]) for one in attributes} for name, cookie in safe.cookies.items()}
print(json.dumps([plain.status_code, plain["location"], dict(safe.headers), cookies]))
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    told = {"STRONGROOM_ENV": "production", "DJANGO_SETTINGS_MODULE": "tests.support.check_settings"}
    return subprocess.run(
        [sys.executable, *command], env=os.environ | told, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_pages_are_for_tls_alone_and_cookies_for_this_host_alone() -> None:
    done = run("-c", ANSWERS)
    status, location, headers, cookies = msgspec.json.decode(done.stdout)
    assert (status, location) == (301, "https://localhost/login/")
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "upgrade-insecure-requests" in headers["Content-Security-Policy"]
    assert cookies == {"__Host-csrftoken": {"secure": "True", "path": "/", "domain": "", "samesite": "Lax"}}


def test_djangos_own_check_of_a_deployment_finds_nothing() -> None:
    done = run("manage.py", "check", "--deploy")
    # Whether browsers' makers list a domain is its owner's decision.
    found = [line for line in done.stderr.splitlines() if "(security." in line and "security.W021" not in line]
    assert (done.returncode, found) == (0, [])
