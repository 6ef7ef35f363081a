"""Requests that are wrong in many ways, to try a service with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_VALUES: tuple[Any, ...] = (
    None, True, -1, 1e308, 10**30, "", "\ud800", "\x00", "9" * 300, [], {}, [[]], "2024-05-01", "NaN",
)  # fmt: skip
_KEYS = ("shopper", "history", "name", "k", "day", "exclude_items", "item", "time", "quantity", "basket")
_TYPES = ("application/json", "application/json", "text/plain", "", "application/json; x")
_URLS = ("/offers", "/offers", "/offers", "/offers?x=%ff", "/nothing", "/%00")
_METHODS = ("POST", "POST", "POST", "PUT", "GET", "BREW")


def malformed_request(rng: np.random.Generator) -> dict[str, Any]:
    """The arguments `method`, `url`, `content` and `headers` of a request to the service, as HTTP clients
    take them. A few are right by chance."""

    def value() -> Any:
        return _VALUES[rng.integers(len(_VALUES))]

    line = {str(rng.choice(_KEYS)): value() for _ in range(rng.integers(4))} | {"time": value()}
    body: Any = {str(rng.choice(_KEYS)): value() for _ in range(rng.integers(5))}
    kind = rng.integers(6)
    if kind == 0:
        body = value()
    elif kind == 1:
        body["history"] = [line] * int(rng.integers(3))
    content = json.dumps(body).encode()
    if kind == 2:
        content = content[: rng.integers(len(content) + 1)]
    elif kind == 3:
        content = rng.bytes(int(rng.integers(60)))
    return {
        "method": str(rng.choice(_METHODS)),
        "url": str(rng.choice(_URLS)),
        "content": content,
        "headers": {"content-type": str(rng.choice(_TYPES))},
    }
