"""Acts that ask for a fresh one-time code: what a session alone can do is not what somebody at the screen wants."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.authenticators.codes import use_code
from portal.pages.places import page_above
from strongroom.protocol.errors import Refused
from tenants.models import User

FIELD = "fresh_code"
QUESTION = "question"
"""In the session: what was asked last and has no answer yet, as `ask` has it."""
MOST = 20_000
"""Characters of a form that waits for its code."""
_NOT_SENT_AGAIN = ("csrfmiddlewaretoken", FIELD)


class Unconfirmed(Exception):
    """An act that no fresh code came with. `act` says what it is, `follows` what comes of it, `ends` whether it takes
    something away; `refused` why the code that came did not serve.
    """

    def __init__(self, act: str, follows: str, *, ends: bool, refused: Refused | None = None) -> None:
        super().__init__(act)
        self.act = act
        self.follows = follows
        self.ends = ends
        self.refused = refused


def confirm(request: HttpRequest, act: str, follows: str = "", *, ends: bool = False) -> None:
    """Use up the fresh code that came with a form, or have the page ask for one: `act` says for what, by name,
    and `follows` in a sentence what comes of it. One that `ends` something is asked for as such.

    Call it when everything else about the request is in order, and outside any transaction. What was sent is sent again
    with the code. Raises `Unconfirmed`, of which `ask` makes the question.
    """
    code = request.POST.get(FIELD, "")
    if not code:
        raise Unconfirmed(act, follows, ends=ends)
    if not isinstance(request.user, User):
        raise Refused("unauthenticated")
    try:
        use_code(request.user, code)
    except Refused as refused:
        raise Unconfirmed(act, follows, ends=ends, refused=refused) from None
    request.session.pop(QUESTION, None)


def ask(request: HttpRequest, unconfirmed: Unconfirmed) -> HttpResponse:
    """To the page of the question, whose form sends again what was sent. Raises `Refused("too-large")`.

    Not the question itself: nobody can go back in a browser to what answered a form.
    """
    sent = [[name, one] for name, values in request.POST.lists() for one in values if name not in _NOT_SENT_AGAIN]
    if sum(len(name) + len(value) for name, value in sent) > MOST:
        raise Refused("too-large")
    refused = unconfirmed.refused
    request.session[QUESTION] = {
        "where": request.get_full_path(),
        "back": page_above(request.path),
        "act": unconfirmed.act,
        "follows": unconfirmed.follows,
        "ends": unconfirmed.ends,
        "sent": sent,
        "refused": [refused.code, refused.detail] if refused else None,
    }
    return redirect("pages:confirm")
