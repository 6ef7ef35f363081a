"""How fast `bundlegym serve` answers, and whether anything a client sends makes it fail.

    python benchmarks/serve.py FOLDER [--rate 50] [--seconds 60] [--malformed 10000]

FOLDER is what `bundlegym export` wrote. The service runs in a process of its own, on the machine's last core
where the system can say so; the client stays on the others. Requests are sent at a steady rate, whether those
before have been answered or not (an open loop: a slow answer does not spare the next one), half of them for
shoppers of the log and half with histories; then as fast as one client gets answers; then malformed ones.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bundlegym.deployment.exported import ExportedPolicy
from bundlegym.deployment.testing import malformed_request

_PORT = 8765


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--malformed", type=int, default=10_000)
    options = parser.parse_args()
    bodies = requests_of(ExportedPolicy.load(options.folder), 1000)
    command = [sys.executable, "-m", "bundlegym", "serve", str(options.folder), "--port", str(_PORT)]
    server = subprocess.Popen(command)
    try:
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(server.pid, cores[-1:])
            os.sched_setaffinity(0, cores[:-1] or cores)
        asyncio.run(measure(server, bodies, options))
    finally:
        server.terminate()
        server.wait()


def requests_of(policy: ExportedPolicy, count: int) -> list[dict[str, Any]]:
    """Bodies of requests: shoppers of the log by id, and the histories of others of them."""
    ledger, bodies = policy.ledger, []
    shoppers = np.random.default_rng(0).permutation(len(ledger.shopper_ids))
    for number in range(count):
        code = int(shoppers[number % len(shoppers)])
        if number % 2:
            bodies.append({"shopper": str(ledger.shopper_ids[code])})
            continue
        mine = ledger.bought.shopper == code
        last = ledger.bought.where(np.flatnonzero(mine)[-200:])
        lines = zip(ledger.item_ids[last.item].tolist(), last.day.tolist(), strict=True)
        bodies.append({"history": [{"item": item, "time": ledger.date(day)} for item, day in lines]})
    return bodies


async def measure(server: subprocess.Popen[bytes], bodies: list[dict[str, Any]], options: Any) -> None:
    # The service closes a connection that it hears nothing of; the client gives it up before.
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=1)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{_PORT}", limits=limits, timeout=60) as client:
        await until_it_answers(client, server)
        for body in bodies[:20]:
            await client.post("/offers", json=body)
        before = cpu_seconds(server.pid)
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores before")
        count = int(options.rate * options.seconds)
        seconds = await open_loop(client, bodies, options.rate, count)
        print(f"{options.rate:g} requests a second: {words(seconds)}")
        print(f"CPU time an answer: {1000 * (cpu_seconds(server.pid) - before) / count:.2f} ms")
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < 10:
            await client.post("/offers", json=bodies[done % len(bodies)])
            done += 1
        rate = done / (time.perf_counter() - started)
        print(f"one client, one request after the other: {rate:.0f} a second")
        rng, statuses = np.random.default_rng(0), dict[int, int]()
        for _ in range(options.malformed):
            status = (await client.request(**malformed_request(rng))).status_code
            statuses[status] = statuses.get(status, 0) + 1
        failed = sum(count for status, count in statuses.items() if status >= 500)
        told = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
        print(f"malformed requests: {told}; {failed} of them a failure of the service")


async def until_it_answers(client: httpx.AsyncClient, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            await client.get("/health")
            return
        except httpx.ConnectError:
            await asyncio.sleep(0.2)
    sys.exit("the service did not start")


async def open_loop(
    client: httpx.AsyncClient, bodies: list[dict[str, Any]], rate: float, count: int
) -> np.ndarray:
    """(count,) seconds from the time at which a request was due to its answer."""
    seconds, start = np.zeros(count), time.perf_counter()

    async def ask(number: int) -> None:
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        answer = await client.post("/offers", json=bodies[number % len(bodies)])
        assert answer.status_code == 200, answer.text
        seconds[number] = time.perf_counter() - due

    await asyncio.gather(*(ask(number) for number in range(count)))
    return seconds


def words(seconds: np.ndarray) -> str:
    p50, p95, p99 = (1000 * np.quantile(seconds, q) for q in (0.5, 0.95, 0.99))
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms ({len(seconds)} requests)"


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far; not a number where the system does not tell it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
