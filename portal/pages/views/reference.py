"""The description of the REST interface, for anyone."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.pages.reference import reference as whole_reference


def reference(request: HttpRequest) -> HttpResponse:
    found = whole_reference()
    return render(request, "pages/reference.html", {"groups": found.groups, "problem": found.problem})
