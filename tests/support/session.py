"""Someone at the running stack's pages without a browser, over HTTP."""

import html
import re

import httpx

from tests.support.stack import Stack

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Session(httpx.Client):
    """Follows no redirects."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(base_url=stack.url, timeout=60)
        self._stack = stack

    def send_form(self, path: str, page: str = "", **fields: str) -> httpx.Response:
        """Send the form of `page` (else of the same path), with the CSRF token that it holds."""
        found = _TOKEN.search(self.get(page or path).text)
        return self.post(path, data={"csrfmiddlewaretoken": found[1] if found else "", **fields})

    def try_login(self, username: str, password: str, code: str) -> httpx.Response:
        return self.send_form("/login/", username=username, password=password, otp_token=code)

    def log_in(self, username: str) -> None:
        """With the person's password, and a code that has not served."""
        answer = self.try_login(username, self._stack.people.of(username).password, self._stack.code(username))
        assert answer.status_code == 302, answer.text


def code_below(page: str, summary: str) -> str:
    """The code that a page shows below a summary."""
    found = re.search(rf"<summary>{summary}</summary>\s*<pre><code>(.*?)</code>", page, re.DOTALL)
    assert found, f"there is no code below {summary}"
    return html.unescape(found[1])
