"""Where this machine has Chromium."""

import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium() -> str:
    """The path of the browser's program; empty where there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), "")
