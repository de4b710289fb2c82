"""The question for a fresh one-time code."""

from django.http import HttpRequest, HttpResponse

from portal.pages.access import any_page
from portal.pages.forms import ConfirmationForm
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.step_up import QUESTION
from strongroom.protocol.errors import Refused


@any_page
def confirm(request: HttpRequest, reader: Reader) -> HttpResponse:
    """What was asked last, as often as the page is loaded; why the code before did not serve, once."""
    asked = request.session.get(QUESTION)
    if asked is None:
        return page(request, "unasked.html", reader=reader)
    refused = None
    if asked["refused"]:
        refused = Refused(*asked["refused"])
        request.session[QUESTION] = asked | {"refused": None}
    status = refused.problem.status if refused else 200
    form = ConfirmationForm()
    return page(request, "confirm.html", reader=reader, status=status, asked=asked, refused=refused, form=form)
