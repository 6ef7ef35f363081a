"""What each policy of a run earned in each episode, kept with the run so that other runs can be paired.

`episodes.parquet` holds a row a policy, user model, assumption, seed and episode. Episode i of two runs is
the same shopper with the same visits and the same luck where the log, the visits in an episode and the user
model are the same: the file's own `Ground` says whether they are.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bundlegym.errors import UserError
from bundlegym.evaluation.judging import Table
from bundlegym.evaluation.paired import difference
from bundlegym.user_models import UserModel

FILE = "episodes.parquet"
_METADATA = b"bundlegym"
_WHO = ("policy", "kind", "user_model", "offer_exposure")


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


@dataclass(frozen=True, eq=False)
class Played:
    """A policy and what it earned.

    Attributes:
        policy, kind: as in the tables.
        gains: (N, 2) incremental margin and visits of each episode, from each of its seeds.
    """

    policy: str
    kind: str
    gains: list[np.ndarray]

    @property
    def episodes(self) -> int:
        return len(self.gains[0])

    @cached_property
    def gain(self) -> dict[str, float]:
        """Incremental margin a visit and its 95 % interval: the difference to a policy that gains nothing."""
        nothing = self.gains[0] * np.array([0.0, 1.0])
        return {end: value for end, value in difference(self.gains, [nothing]).items() if end != "episodes"}


@dataclass
class EpisodeLog:
    """Collects the episodes of a run's tables; `write` keeps them."""

    parts: list[pd.DataFrame] = field(default_factory=list)
    user_models: dict[str, str] = field(default_factory=dict)

    def add(self, table: Table, user_model: UserModel) -> None:
        """The episodes of a table, as `user_model` sees them."""
        for row in table.rows:
            self.user_models.setdefault(row["user_model"], user_model_fingerprint(user_model))
            for seed, gains in enumerate(table.gains.get(row["policy"], [])):
                columns = {
                    "episode": np.arange(len(gains), dtype=np.int32),
                    "visits": gains[:, 1].astype(np.int16),
                    "incremental_margin": gains[:, 0].astype(np.float32),
                }
                who = {name: row[name] for name in _WHO}
                self.parts.append(pd.DataFrame(columns).assign(**who, seed=np.int16(seed)))

    def write(self, folder: Path, log: str, visits: int, bundle_pull: float) -> None:
        """Keep all of it in a run's folder; see `Ground`."""
        ground = Ground(log, visits, bundle_pull, self.user_models)
        table = pa.Table.from_pandas(pd.concat(self.parts, ignore_index=True), preserve_index=False)
        table = table.replace_schema_metadata({_METADATA: json.dumps(asdict(ground))})
        part = folder / f"{FILE}.part"
        pq.write_table(table, part, compression="zstd")
        os.replace(part, folder / FILE)


def read_episodes(folder: Path) -> tuple[Ground, pd.DataFrame]:
    """What `EpisodeLog.write` kept.

    Raises:
        UserError: the run has none, or the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise UserError(
            f"{folder}: no {FILE} there, so its episodes cannot be paired with those of another run; an "
            "earlier version made it: judge it anew with train.py --resume after removing results.json"
        )
    try:
        table = pq.read_table(path)
        ground = Ground(**json.loads(table.schema.metadata[_METADATA]))
        return ground, table.to_pandas()
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged ({error}); judge the run anew") from error


def by_table(episodes: pd.DataFrame) -> dict[tuple[str, float], list[Played]]:
    """The policies in the table of `read_episodes`, by user model and assumption."""
    groups = episodes.groupby(["user_model", "offer_exposure"], sort=False)
    return {(str(name), float(str(exposure))): _played(rows) for (name, exposure), rows in groups}


def _played(table: pd.DataFrame) -> list[Played]:
    found = []
    for (policy, kind), rows in table.groupby(["policy", "kind"], sort=False):
        seeds = [one.sort_values("episode") for _, one in rows.groupby("seed")]
        gains = [one[["incremental_margin", "visits"]].to_numpy(np.float64) for one in seeds]
        found.append(Played(str(policy), str(kind), gains))
    return found


def user_model_fingerprint(model: UserModel) -> str:
    """16 hexadecimal digits of a fitted model's parameters; empty where a model does not show any."""
    params = getattr(model, "params", None)
    if params is None or not hasattr(params, "leaves"):
        return ""
    digest = hashlib.sha256()
    for name, value in params.leaves():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
