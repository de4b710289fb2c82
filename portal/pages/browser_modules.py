"""What pages use from npm (portal/pages/npm), where it is installed (`settings.BROWSER_MODULES`)."""

from django.contrib.staticfiles import finders
from django.templatetags.static import static

from strongroom.protocol.encoding import canonical_json

_MODULES = ("@hpke/common", "@hpke/core", "@hpke/dhkem-x25519", "@hpke/hybridkem-x-wing", "mlkem")


def import_map() -> str:
    """The import map (JSON) by which scripts find the modules; empty where one of them is not installed."""
    paths = {name: f"npm/{name}/esm/mod.js" for name in _MODULES}
    if not all(finders.find(path) for path in paths.values()):
        return ""
    return canonical_json({"imports": {name: static(path) for name, path in paths.items()}}).decode()
