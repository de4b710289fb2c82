"""`bin/bench [--json FILE] [--quick] [NAME …]`: run the benchmarks, all or those named."""

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench import bare_loop, bulk, growth, hsm_socket, log_copy, many_keys, neighbours, rest
from bench.measure import Figure, Load, compare, cores, in_processes, times
from bench.rig import PROJECT, Rig, stack


def _library() -> Load:
    return in_processes(cores(), hsm_socket.library)


def _softhsm(kind: str) -> Load:
    def load(seconds: float) -> float:
        command = [PROJECT / ".venv-bench/bin/python", PROJECT / "bench/softhsm.py", str(seconds), kind]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return load


def _over_socket(rig: Rig, batch: int = 0, kind: str = "p256") -> Load:
    return times(batch or 1, in_processes(hsm_socket.CLIENTS, hsm_socket.in_token_mode(rig, batch, kind)))


def _against_softhsm(kind: str) -> Callable[[Rig, str, int, float], Figure]:
    def run(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
        note = f"{hsm_socket.CLIENTS} clients; SoftHSM2 in one process through python-pkcs11"
        ours = _over_socket(rig, kind=kind)
        return compare(name=name, ours=ours, yardstick=_softhsm(kind), runs=runs, seconds=seconds, note=note)

    return run


def _against_bare_loop(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
    with bare_loop.signing() as floor:
        note = "4 clients; a loop that reads a request, signs and answers, in as many processes as cores"
        return compare(name=name, ours=_over_socket(rig), yardstick=floor, runs=runs, seconds=seconds, note=note)


def _against_openbao(task: rest.Task) -> Callable[[Rig, str, int, float], Figure]:
    def run(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
        with rest.openbao(task) as yardstick:
            note = f"wrk, {rest.CONNECTIONS} connections, on the same cores; OpenBao in memory, without audit"
            return compare(
                name=name,
                ours=rest.rate(rest.ours(rig, task), task.batch),
                yardstick=rest.rate(yardstick, task.batch),
                runs=runs,
                seconds=seconds,
                note=note,
            )

    return run


def _p99_against_openbao(task: rest.Task) -> Callable[[Rig, str, int, float], Figure]:
    def run(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
        with rest.openbao(task) as yardstick:
            return compare(
                name=name,
                ours=rest.p99(rest.ours(rig, task)),
                yardstick=rest.p99(yardstick),
                runs=runs,
                seconds=seconds,
                note=f"99 of 100 answered within; wrk, {rest.CONNECTIONS} connections; less is better",
                unit="ms",
            )

    return run


_BATCH_100 = replace(rest.SIGN_P256, batch=100)
_BATCH_1000 = replace(rest.SIGN_P256, batch=1000)


BENCHMARKS: dict[str, Callable[[Rig, str, int, float], Figure]] = {
    "hsm.sign.p256.vs_library": lambda rig, name, runs, seconds: compare(
        name=name, ours=_over_socket(rig), yardstick=_library(), runs=runs, seconds=seconds,
        note="4 clients; the library has no socket, check or log, in as many processes as cores",
    ),
    "hsm.batch100.sign.p256.vs_library": lambda rig, name, runs, seconds: compare(
        name=name, ours=_over_socket(rig, 100), yardstick=_library(), runs=runs, seconds=seconds,
        note="4 clients; the library has no socket, check or log, in as many processes as cores",
    ),
    "hsm.sign.p256.vs_softhsm": _against_softhsm("p256"),
    "hsm.sign.ed25519.vs_softhsm": _against_softhsm("ed25519"),
    "hsm.sign.rsa2048.vs_softhsm": _against_softhsm("rsa2048"),
    "hsm.encrypt.aes1k.vs_softhsm": _against_softhsm("aes"),
    "hsm.hash.hmac.vs_softhsm": _against_softhsm("hmac"),
    "hsm.sign.p256.vs_bare_loop": _against_bare_loop,
    "hsm.sign.p256.keys1m_vs_keys10": many_keys.rate,
    "hsm.sign.p256.signed_vs_token": lambda rig, name, runs, seconds: compare(
        name=name,
        ours=in_processes(hsm_socket.CLIENTS, hsm_socket.in_signed_mode(rig)),
        yardstick=_over_socket(rig), runs=runs, seconds=seconds,
        note="4 clients, which also sign their instructions, on the same cores",
    ),
    "rest.sign.p256.vs_library": lambda rig, name, runs, seconds: compare(
        name=name, ours=rest.rate(rest.ours(rig, rest.SIGN_P256)), yardstick=_library(), runs=runs, seconds=seconds,
        note="wrk, 16 connections, on the same cores",
    ),
    "rest.sign.p256.sealed_vs_token": lambda rig, name, runs, seconds: compare(
        name=name, ours=rest.rate(rest.ours_sealed(rig, rest.SIGN_P256)),
        yardstick=rest.rate(rest.ours(rig, rest.SIGN_P256)), runs=runs, seconds=seconds,
        note="wrk, 16 connections; one sealed request again and again, whose answers nobody opens; the same in clear",
    ),
    "rest.sign.p256.vs_openbao": _against_openbao(rest.SIGN_P256),
    "rest.sign.p256.p99_vs_openbao": _p99_against_openbao(rest.SIGN_P256),
    "rest.sign.rsa2048.vs_openbao": _against_openbao(rest.SIGN_RSA2048),
    "rest.encrypt.aes1k.vs_openbao": _against_openbao(rest.ENCRYPT_AES_1K),
    "rest.batch100.sign.p256.vs_openbao": _against_openbao(_BATCH_100),
    "rest.batch1000.sign.p256.vs_library": lambda rig, name, runs, seconds: compare(
        name=name, ours=rest.rate(rest.ours(rig, _BATCH_1000), 1000), yardstick=_library(), runs=runs, seconds=seconds,
        note="wrk, 16 connections, on the same cores; the library in as many processes as cores",
    ),
    "rest.sign.p256.keys1m_vs_keys10": growth.keys,
    "rest.sign.p256.tenants10k_vs_10": growth.tenants,
    "rest.quiet_beside_noisy": lambda rig, name, runs, seconds: compare(
        name=name, ours=neighbours.beside(rig), yardstick=neighbours.alone(rig), runs=runs, seconds=seconds,
        note="a tenant with 1 connection beside one with 8 of batches of 1,000 and 8 of singles; alone",
    ),
    "rest.quiet_beside_noisy.p99": lambda rig, name, runs, seconds: compare(
        name=name, ours=neighbours.beside(rig, rest.p99), yardstick=neighbours.alone(rig, rest.p99), runs=runs,
        seconds=seconds, note="the same: 99 of 100 answered within; less is better", unit="ms",
    ),
    "log.copy.vs_operations": log_copy.beside,
    "log.copy.backlog.vs_operations": log_copy.backlog,
    "import.per_second": lambda rig, name, runs, seconds: compare(
        name=name, ours=bulk.ours(rig), yardstick=bulk.kms, runs=runs, seconds=seconds, unit="imports/s",
        note="as the next; the yardstick is AWS KMS's quota for ImportKeyMaterial",
    ),
    "import.bulk.vs_target": lambda rig, name, runs, seconds: compare(
        name=name, ours=bulk.ours(rig), yardstick=bulk.target, runs=runs, seconds=seconds,
        note="8 threads of one client, over TLS, on the same cores; the target is 100 a second",
    ),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="3 runs of 1 s instead of 5 runs of 4 s")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    runs, seconds = (3, 1.0) if arguments.quick else (5, 4.0)
    figures = []
    with stack() as rig:
        for name in arguments.names or BENCHMARKS:
            figures.append(BENCHMARKS[name](rig, name, runs, seconds))
            print(f"{name}: {figures[-1].ratio}", file=sys.stderr)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))
    _show(figures)
    return 0


def _show(figures: list[Figure]) -> None:
    machine = f"{cores()} cores, {platform.machine()}, Python {platform.python_version()}"
    table = Table(
        "benchmark", "ratio", "ours", "yardstick", "unit", "note", title=f"Medians of interleaved runs on {machine}"
    )
    for one in figures:
        table.add_row(one.name, f"{one.ratio:.2f}", f"{one.ours:,.0f}", f"{one.yardstick:,.0f}", one.unit, one.note)
    Console(width=180).print(table)


if __name__ == "__main__":
    sys.exit(main())
