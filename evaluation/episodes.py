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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bundlegym.data.files import replacing
from bundlegym.data.sealed import read_sealed_json
from bundlegym.errors import UserError
from bundlegym.evaluation.pairing import Scored
from bundlegym.evaluation.run_folder import check_there
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


def write_episodes(
    folder: Path, ground: Ground, tables: Mapping[tuple[str, float], Sequence[Scored]]
) -> None:
    """Keep in a run's folder what each policy earned, by user model and assumption."""
    parts = []
    for (user_model, exposure), policies in tables.items():
        for policy in policies:
            who: dict[str, Any] = {"policy": policy.policy, "kind": policy.kind}
            who |= {"user_model": user_model, "offer_exposure": exposure}
            for seed, sums in enumerate(policy.sums):
                total, visits = sums.T
                columns = {
                    "episode": np.arange(len(total), dtype=np.int32),
                    "visits": visits.astype(np.int16),
                }
                rows = pd.DataFrame(columns | {"incremental_margin": total.astype(np.float32)})
                parts.append(rows.assign(**who, seed=np.int16(seed)))
    table = pa.Table.from_pandas(pd.concat(parts, ignore_index=True), preserve_index=False)
    table = table.replace_schema_metadata({_METADATA: json.dumps(asdict(ground))})
    with replacing(folder / FILE) as part:
        pq.write_table(table, part, compression="zstd")


def read_episodes(folder: Path) -> tuple[Ground, pd.DataFrame]:
    """What `write_episodes` kept.

    Raises:
        UserError: the run has none, or the file is damaged.
    """
    path = folder / FILE
    check_there(folder)
    if not os.path.isfile(path):  # which knows of no name too long
        raise UserError(
            f"{folder}: no {FILE} there, so its episodes cannot be paired with those of another run; an "
            "earlier version made it: judge it anew with bundlegym train --resume after removing results.json"
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
