"""The command line of `bundlegym serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from bundlegym.data.checked import Options, Range
from bundlegym.deployment.exported import ExportedPolicy
from bundlegym.deployment.limits import Limits
from bundlegym.errors import UserError
from bundlegym.options import parsed

#: Seconds that a connection without a request is kept, and that requests have to end at a stop.
_KEEP_ALIVE, _SHUTDOWN = 5, 10
#: Requests at once beyond which the service answers 503.
_CONCURRENCY = 200
_Port = Annotated[int, Range("1..65535", least=1, most=65_535)]


@dataclass(frozen=True)
class ServeConfig(Options):
    """Answer over HTTP from a folder that `bundlegym export` wrote: POST /offers, GET /health, GET /version;
    /docs describes them."""

    folder: tyro.conf.Positional[Path]
    """Folder of the exported agent."""

    host: str = "127.0.0.1"
    """Address to listen at; the default is this machine alone. There is no log-in: put a proxy before it."""

    port: _Port = 8000
    """Port to listen at."""

    least_margin: float | None = None
    """Least margin of an offer that is taken whole, in the log's currency."""

    below_cost: bool = False
    """Let items be offered below what they cost."""

    exclude_items: tuple[str, ...] = ()
    """Ids of items that are never offered."""

    exclude_categories: tuple[str, ...] = ()
    """Departments, categories or subcategories that are never offered."""

    exclude_presets: tuple[str, ...] = ()
    """What many shops may not discount, found by words of names and categories: alcohol, tobacco,
    infant-formula."""


def serve() -> None:
    """`bundlegym serve FOLDER [options]`: until it is stopped."""
    config = parsed(ServeConfig)
    try:
        import uvicorn

        from bundlegym.deployment.service import make_app
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed; install what serving needs by: pip install 'bundlegym[serve]'"
        ) from error
    policy = ExportedPolicy.load(config.folder)
    app = make_app(policy, Limits(config.below_cost, config.least_margin), _excluded(policy, config))
    uvicorn.run(
        app,
        host=config.host,
        port=config.port,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_SHUTDOWN,
        limit_concurrency=_CONCURRENCY,
    )


def _excluded(policy: ExportedPolicy, config: ServeConfig) -> np.ndarray:
    """(I,) bool, and that enough is left, so that it is told before the first request."""
    excluded = policy.ledger.all_excluded(
        config.exclude_items, config.exclude_categories, config.exclude_presets
    )
    policy.ledger.check_left(excluded, policy.sizes.n_candidates)
    # What is compiled at first use does not make the first client wait.
    policy.recommend(str(policy.ledger.shopper_ids[0]), excluded=excluded)
    return excluded
