"""What every answer tells the browser beside the content security policy and what Django's own middleware says."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_NOBODY = [
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
]
_OURSELVES = ["clipboard-write", "publickey-credentials-create", "publickey-credentials-get"]
"""Copy buttons, and officers' security keys."""

PERMISSIONS = ", ".join([f"{one}=()" for one in _NOBODY] + [f"{one}=(self)" for one in _OURSELVES])


def browser_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: which of the browser's powers pages may use, and that no other site embeds what is answered."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Permissions-Policy"] = PERMISSIONS
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    return answer
