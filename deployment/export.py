"""Writes an agent as a folder that answers without torch; `exported` reads it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import bundlegym
from bundlegym.data.files import replacing
from bundlegym.data.sealed import write_sealed_json
from bundlegym.deployment.exported import (
    BLOCKS,
    FORMAT,
    POLICY,
    SCORER,
    SHOP_TABLES,
    TABLES,
    ledger_tables,
)
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.envs.features import SHOPPER_EMBEDDING
from bundlegym.errors import UserError


class _Scorer(nn.Module):
    """Scores (N, K + D) from the blocks in a fixed order."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, tuple(names)

    def forward(self, *blocks: Tensor) -> Tensor:
        scores = self.network(dict(zip(self.names, blocks, strict=True)))
        return scores[0] if isinstance(scores, tuple) else scores


def export_policy(policy: BundlePolicy, folder: Path) -> None:
    """Write the agent of a run into a folder; what stands there is replaced.

    Raises:
        UserError: it is the planner, its observation or its network cannot be exported, its candidates are a
            recommender's, onnx is not installed, or the folder cannot be written.
    """
    names = _check(policy)
    ledger = policy.ledger
    someone, nothing = ledger.ask([ledger.shopper_ids[0]]), np.zeros(ledger.n_items, dtype=bool)
    blocks = policy.open(someone, ledger.day(None), nothing).observe()
    scorer = _Scorer(_network(policy.model), names).cpu().eval()
    facts, arrays = ledger_tables(policy.ledger)
    market, config = policy.market, policy.config
    arrays |= {name: getattr(market, name).cpu().numpy() for name in SHOP_TABLES}
    arrays["profile"] = market.profile.cpu().numpy()
    if (rule := policy.experiment.shopper_vectors) is not None:
        arrays[SHOPPER_EMBEDDING] = rule.as_of(ledger.bought, ledger.n_shoppers, ledger.day(None))
    facts |= {
        "format": FORMAT,
        "bundlegym": bundlegym.__version__,
        "run": policy.experiment.folder.name,
        "policy": policy.name,
        "offer_exposure": policy.exposure,
        "seed": policy.seed,
        "blocks": list(names),
        "sizes": {
            "n_candidates": config.n_candidates, "visits": config.visits, "min_size": config.min_size,
            "max_size": config.max_size, "discounts": list(config.discounts),
        },
        "notes": list(policy.dataset.notes),
    }  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / POLICY).unlink(missing_ok=True)  # it says that the rest is whole
        _write_scorer(scorer, [blocks[name] for name in names], names, folder / SCORER)
        _write_arrays(arrays, folder / TABLES)
        write_sealed_json(folder / POLICY, facts, others=[folder / SCORER, folder / TABLES])
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _check(policy: BundlePolicy) -> tuple[str, ...]:
    """The names of the blocks, where all can be exported."""
    if policy.model is None:
        raise UserError("the planner asks a user model and cannot be exported; name an agent as --policy")
    if policy.experiment.config.candidates:
        raise UserError(
            f"the candidates of this run are those of the recommender {policy.experiment.config.candidates}, "
            "which is not exported; train a run without --candidates"
        )
    if strange := [name for name in policy.config.observation if name not in BLOCKS]:
        raise UserError(
            f"the observation's block {strange[0]} cannot be exported; train a run with --observation "
            f"{' '.join(BLOCKS[:4])} (and {' or '.join(BLOCKS[4:])}), or use bundlegym recommend"
        )
    try:
        import onnx  # noqa: F401 (torch needs it)
    except ImportError as error:
        raise UserError("onnx is not installed; install it by: pip install 'bundlegym[export]'") from error
    return policy.config.observation


def _network(model: Any) -> nn.Module:
    """What of a Stable-Baselines3 model scores actions, (N, K + D); of the legal ones the best is taken."""
    if hasattr(model.policy, "scorer"):
        return model.policy.scorer
    if hasattr(model.policy, "q_net"):
        return model.policy.q_net
    raise UserError(f"{type(model.policy).__name__}: a policy without scorer or q_net cannot be exported")


def _write_scorer(scorer: nn.Module, blocks: list[Tensor], names: Sequence[str], path: Path) -> None:
    with replacing(path) as part, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is called outdated
        torch.onnx.export(
            scorer,
            tuple(block.cpu() for block in blocks),
            str(part),
            input_names=list(names),
            output_names=["scores"],
            dynamic_axes={name: {0: "n"} for name in (*names, "scores")},
            dynamo=False,
        )


def _write_arrays(arrays: dict[str, np.ndarray], path: Path) -> None:
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
