"""JSON (RFC 8259) and nothing else, in and out, read as strictly as the data plane reads it."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

import msgspec
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from strongroom.protocol.errors import Refused

MEDIA_TYPE = "application/json"
MOST_DROPPED = 64 * 1024 * 1024
"""Bytes of a body that is too large and still taken in."""
_PIECE = 64 * 1024


def check_media_type(content_type: str) -> None:
    """Nothing, or JSON with whatever parameters. Raises `Refused("media-type-unsupported")`."""
    if content_type and content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Refused("media-type-unsupported")


def check_length(environ: Mapping[str, Any], most: int) -> int:
    """How many bytes the body has.

    Raises `Refused`: `malformed`, `too-large` above `most`. A body that is not much larger is taken in first, and
    dropped: a client that is still sending when the connection is closed never reads why.
    """
    stated = environ.get("CONTENT_LENGTH") or "0"
    if not stated.isdecimal():
        raise Refused("malformed", "the Content-Length is no number")
    length = int(stated)
    if length <= most:
        return length
    if length <= MOST_DROPPED:
        while length > 0 and (piece := environ["wsgi.input"].read(min(length, _PIECE))):
            length -= len(piece)
    raise Refused("too-large", f"a request here has at most {most} bytes")


class JsonParser(BaseParser):
    """UTF-8 without lone surrogates, NaN or endless nesting, which the standard library's reader lets in."""

    media_type = MEDIA_TYPE

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises `Refused("malformed")`."""
        try:
            return msgspec.json.decode(stream.read())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused("malformed", "not JSON") from None


class OnlyJson(BaseContentNegotiation):
    """`Accept` changes nothing: an answer is JSON, and a caller who wants something else gets no other."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Raises `Refused("media-type-unsupported")`."""
        check_media_type(request.content_type)
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return next(iter(renderers)), MEDIA_TYPE
