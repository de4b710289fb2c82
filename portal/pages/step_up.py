"""Acts that ask for a fresh one-time code: what a session alone can do is not what somebody at the screen wants."""

from django.http import HttpRequest

from portal.authenticators.codes import use_code
from strongroom.protocol.errors import Refused
from tenants.models import User

FIELD = "fresh_code"


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
    with the code. Raises `Unconfirmed`, which the page turns into the question.
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
