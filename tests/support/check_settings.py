"""Settings for checks that look at the portal's code and connect to nothing: mypy, `makemigrations --check`."""

import os

for _name in ("DATABASE_URL", "DATABASE_PROVIDER_URL"):
    os.environ.setdefault(_name, "postgresql://nobody@/nothing?host=/nowhere")
for _name in ("CELERY_BROKER_URL", "CACHE_URL"):
    os.environ.setdefault(_name, "redis://nowhere/0")
# Any file that is long enough: nothing is signed.
os.environ.setdefault("STRONGROOM_SECRET_KEY_FILE", __file__)

from portal.settings import *  # noqa: E402, F403
