"""What each policy of a run earned in each episode, kept with the run so that other runs can be paired.

`episodes.parquet` holds a row a policy, user model, assumption, seed and episode. Episode i of two runs is
the same shopper with the same visits and the same luck where the log, the visits in an episode and the user
model are the same: the file's own `Ground` says whether they are.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bundlegym.data.files import replacing
from bundlegym.data.sealed import read_sealed_json
from bundlegym.envs.base import GAIN
from bundlegym.errors import UserError
from bundlegym.user_models import UserModel

FILE = "episodes.parquet"
_METADATA = b"bundlegym"


@dataclass(frozen=True)
class Ground:
    """What must be the same in two runs for their episodes to be pairs.

    Attributes:
        log: fingerprint of the prepared log.
        visits: in an episode.
        bundle_pull: what a bundle's pull is assumed to be.
        user_models: fingerprint of each who judges, by its name in the tables.
    """

    log: str
    visits: int
    bundle_pull: float
    user_models: dict[str, str]


@dataclass
class EpisodeLog:
    """Collects the plays of a run's tables; `write` keeps them."""

    parts: list[pd.DataFrame] = field(default_factory=list)
    user_models: dict[str, str] = field(default_factory=dict)

    def add(
        self, who: Mapping[str, Any], user_model: UserModel, plays: Sequence[dict[str, np.ndarray]]
    ) -> None:
        """The plays of a row of a table, one a seed, as `rollout.play` gives them; `who` names the row."""
        self.user_models.setdefault(who["user_model"], user_model_fingerprint(user_model))
        for seed, play in enumerate(plays):
            total, visits = play[GAIN].T
            columns = {"episode": np.arange(len(total), dtype=np.int32), "visits": visits.astype(np.int16)}
            part = pd.DataFrame(columns | {"incremental_margin": total.astype(np.float32)})
            self.parts.append(part.assign(**who, seed=np.int16(seed)))

    def write(self, folder: Path, log: str, visits: int, bundle_pull: float) -> None:
        """Keep all of it in a run's folder; see `Ground`."""
        ground = Ground(log, visits, bundle_pull, self.user_models)
        table = pa.Table.from_pandas(pd.concat(self.parts, ignore_index=True), preserve_index=False)
        table = table.replace_schema_metadata({_METADATA: json.dumps(asdict(ground))})
        with replacing(folder / FILE) as part:
            pq.write_table(table, part, compression="zstd")


def read_episodes(folder: Path) -> tuple[Ground, pd.DataFrame]:
    """What `EpisodeLog.write` kept.

    Raises:
        UserError: the run has none, or the file is damaged.
    """
    path = folder / FILE
    if not os.path.isfile(path):  # which knows of no name too long
        raise UserError(
            f"{folder}: no {FILE} there, so its episodes cannot be paired with those of another run; an "
            "earlier version made it: judge it anew with train.py --resume after removing results.json"
        )
    try:
        read_sealed_json(folder / "results.json")  # which vouches for it
        table = pq.read_table(path)
        ground = Ground(**json.loads(table.schema.metadata[_METADATA]))
        return ground, table.to_pandas()
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged ({error}); judge the run anew") from error


def user_model_fingerprint(model: UserModel) -> str:
    """16 hexadecimal digits of a fitted model's parameters; empty where a model does not show any."""
    params = getattr(model, "params", None)
    if params is None or not hasattr(params, "leaves"):
        return ""
    digest = hashlib.sha256()
    for name, value in params.leaves():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
