"""What the device's processes share when they are forked: `python -m tests.support.forked NAME`.

In an interpreter of its own, as the device is: one that runs tests has threads, which no fork should meet.
"""

import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hsm.shared import Generations, Sessions
from strongroom.protocol.errors import Refused

SIGNER = "s" * 43
NONCES = 300
RACERS = 3
_fork = multiprocessing.get_context("fork")


def nonce(number: int) -> str:
    return f"nonce-number-{number:08}"


def race() -> int:
    """Several processes use the same nonces: how often one was accepted."""
    sessions = Sessions(slots=4096)
    current = sessions.current()
    results = _fork.Queue()

    def use_all() -> None:
        won = 0
        for number in range(NONCES):
            try:
                sessions.use(current, SIGNER, nonce(number))
                won += 1
            except Refused as error:
                if error.code != "instruction-replayed":
                    won = -10_000
        results.put(won)

    racers = [_fork.Process(target=use_all) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    won = sum(results.get(timeout=30) for _ in racers)
    for racer in racers:
        racer.join()
    return won


def killed() -> int:
    """A process is killed while it holds the lock: 1 if the next one gets it."""
    sessions = Sessions(slots=64)
    ready = _fork.Event()

    def hold() -> None:
        with sessions._locked():
            ready.set()
            time.sleep(60)

    holder = _fork.Process(target=hold)
    holder.start()
    assert ready.wait(30)
    holder.kill()
    holder.join()
    with ThreadPoolExecutor(1) as pool:
        return int(bool(pool.submit(sessions.current).result(timeout=30)))


def moved() -> int:
    """A generation moves in another process: 1 if that is seen here."""
    generations = Generations()
    before = generations.of("partitions/p")
    child = _fork.Process(target=generations.moved, args=("partitions/p",))
    child.start()
    child.join()
    return int(generations.of("partitions/p") != before)


def forked(name: str) -> int:
    """What `race`, `killed` or `moved` found, in an interpreter of its own."""
    command = [sys.executable, "-m", "tests.support.forked", name]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, timeout=120)
    return int(done.stdout)


if __name__ == "__main__":
    print({"race": race, "killed": killed, "moved": moved}[sys.argv[1]]())
