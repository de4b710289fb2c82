"""A quiet tenant alone, and beside one that floods the portal from as many connections as the other benchmarks use."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench import rest
from bench.measure import Load
from bench.rig import Rig

Read = Callable[[rest.Wrk], Load]
HALF = rest.CONNECTIONS // 2


def alone(rig: Rig, read: Read = rest.rate) -> Load:
    """Single signatures over one connection."""
    return read(rest.ours(rig, rest.SIGN_P256, 1, rig.other_token))


def beside(rig: Rig, read: Read = rest.rate) -> Load:
    """The same, while Acme sends batches of a thousand over half its connections, and single requests over the rest."""
    quiet = alone(rig, read)
    noise = [rest.ours(rig, replace(rest.SIGN_P256, batch=1000), HALF), rest.ours(rig, rest.SIGN_P256, HALF)]

    def load(seconds: float) -> float:
        with ThreadPoolExecutor() as pool:
            noises = [pool.submit(one, seconds + 2) for one in noise]
            result = pool.submit(_later, quiet, seconds).result()
            for one in noises:
                one.result()
        return result

    return load


def _later(load: Load, seconds: float) -> float:
    time.sleep(1)
    return load(seconds)
