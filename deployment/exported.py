"""An exported agent: it answers from one folder, with numpy, numba and onnxruntime, and without torch.

A folder holds `scorer.onnx`, the network; `tables.npz`, the shop's books and the tables that observations are
made of; and `policy.json`, sizes and names, which is written last and vouches for the other two. Observations
come from the same compiled functions as in the simulator (`envs.compiled`), and tables of shoppers by the
same rule (`recommenders.shopper_tables`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data.sealed import read_sealed_json
from bundlegym.deployment.answers import luck_of
from bundlegym.deployment.ledger import Asked, Ledger, Standing
from bundlegym.deployment.recommending import Recommending
from bundlegym.envs import compiled
from bundlegym.envs.arrays import Board, History, Limits, Shop, World, world_struct
from bundlegym.envs.features import (
    CANDIDATE_FEATURES,
    CONTEXT_FEATURES,
    FEATURE_LIMIT,
    SHOPPER_EMBEDDING,
)
from bundlegym.errors import UserError
from bundlegym.recommenders.dirichlet_shares import ShopAverages
from bundlegym.recommenders.profile import DealAverages
from bundlegym.recommenders.shopper_tables import SHOPPER_FEATURES, Purchases, ShopperRule

FORMAT = 1
SCORER, TABLES, POLICY = "scorer.onnx", "tables.npz", "policy.json"
#: Blocks of an observation that an exported agent can make.
BLOCKS = ("shopper", "context", "candidates", "picked", "profile", SHOPPER_EMBEDDING)
#: Of these the blocks that are tables of the log's shoppers, each under its name.
_OF_SHOPPERS = ("profile", SHOPPER_EMBEDDING)
#: Tables of `envs.arrays.Shop` that do not depend on shoppers.
SHOP_TABLES = ("week_features", "item_features", "synergy", "category")


@dataclass(frozen=True)
class Sizes:
    """Of the offers: candidates K, visits of an episode, least and greatest bundle, discounts (D,)."""

    n_candidates: int
    visits: int
    min_size: int
    max_size: int
    discounts: tuple[float, ...]


class ExportedPolicy(Recommending):
    """An agent in a folder that `bundlegym export` wrote; `recommend` is that of `BundlePolicy`.

    Attributes:
        facts: what `policy.json` says.
        ledger: the shop's books.
        sizes: of the offers.
        seed: of the luck among candidates.
    """

    def __init__(
        self, facts: dict[str, Any], ledger: Ledger, tables: dict[str, np.ndarray], session: Any
    ) -> None:
        self.facts, self.ledger = facts, ledger
        self.sizes = Sizes(**facts["sizes"] | {"discounts": tuple(facts["sizes"]["discounts"])})
        self.seed: int = facts["seed"]
        self._tables, self._session = tables, session

    @staticmethod
    def load(folder: Path | str) -> ExportedPolicy:
        """Read a folder.

        Raises:
            UserError: onnxruntime is not installed, or the folder holds no exported policy, or a damaged one.
        """
        folder = Path(folder)
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(
                "onnxruntime is not installed; install it by: pip install 'bundlegym[export]'"
            ) from error
        if not (folder / POLICY).is_file():
            raise UserError(f"{folder}: holds no {POLICY}; give a folder that bundlegym export wrote")
        try:
            facts = read_sealed_json(folder / POLICY)
            if facts["format"] != FORMAT:
                raise UserError(f"{folder}: of format {facts['format']}; this version reads {FORMAT}")
            with np.load(folder / TABLES, allow_pickle=False) as file:
                tables = {name: file[name] for name in file.files}
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1  # networks are small
            session = onnxruntime.InferenceSession(
                str(folder / SCORER), options, providers=["CPUExecutionProvider"]
            )
            return ExportedPolicy(facts, ledger_of(facts, tables), tables, session)
        except UserError:
            raise
        except Exception as error:  # onnxruntime's own have no common class
            raise UserError(f"{folder}: the exported policy is damaged ({error}); export it again") from error

    def open(self, asked: Asked, day: int, excluded: np.ndarray) -> ExportedVisits:
        """As `BundlePolicy.open`."""
        self.ledger.check_left(excluded, self.sizes.n_candidates)
        stands = self.ledger.standing(asked, day, excluded)
        return ExportedVisits(self, asked, day, stands)

    def shop(self, stands: Standing) -> Shop:
        """The tables of shoppers and items as compiled code takes them; shoppers are numbered from 0."""
        own = {
            name: np.ascontiguousarray(value, dtype=None if value.dtype == np.int64 else np.float32)
            for name, value in vars(stands.tables).items()
        }
        fixed = {name: self._tables[name] for name in SHOP_TABLES}
        nobody_buys = np.empty((0, 0), dtype=np.float32)
        return Shop(**own, **fixed, unit_cost=nobody_buys, list_price=nobody_buys)

    def of_shoppers(self, name: str, asked: Asked) -> np.ndarray:
        """(N, width) a block of `_OF_SHOPPERS`: the mean, 0, for those whom the log does not know."""
        known = self._tables[name]
        rows = np.zeros((len(asked.code), known.shape[1]), dtype=np.float32)
        here = asked.code < len(known)
        rows[here] = known[asked.code[here]]
        return rows.clip(-FEATURE_LIMIT, FEATURE_LIMIT)

    def scores(self, blocks: dict[str, np.ndarray]) -> np.ndarray:
        """(N, K + D) of the actions, from the blocks of an observation (N, width)."""
        given = {name: blocks[name] for name in self.facts["blocks"]}
        return self._session.run(None, given)[0]


class ExportedVisits:
    """Visits of an exported policy, under the contract of `picking.Visits`."""

    def __init__(self, policy: ExportedPolicy, asked: Asked, day: int, stands: Standing) -> None:
        sizes, n = policy.sizes, len(asked.code)
        self.k, levels = sizes.n_candidates, len(sizes.discounts)
        self.discounts = np.array(sizes.discounts, dtype=np.float32)
        self.price, self.cost = policy.ledger.prices(day)
        self._policy = policy
        self._board = Board(
            candidates=np.zeros((n, self.k), dtype=np.int64),
            features=np.zeros((n, self.k, len(CANDIDATE_FEATURES)), dtype=np.float32),
            shopper=np.zeros((n, len(SHOPPER_FEATURES) + 2), dtype=np.float32),
            context=np.zeros((n, len(CONTEXT_FEATURES)), dtype=np.float32),
            picked=np.zeros((n, self.k), dtype=np.float32),
            mask=np.zeros((n, self.k + levels), dtype=np.bool_),
            picks=np.zeros((n, sizes.max_size), dtype=np.int64),
            n_picks=np.zeros(n, dtype=np.int64),
            visit=np.zeros(n, dtype=np.int64),
        )
        rows, today = np.arange(n), np.full(n, day, dtype=np.int64)
        nobody = np.empty(0, dtype=np.int64)
        no_history = History(nobody, nobody.astype(np.int32), nobody.astype(np.int16))
        limits = Limits(sizes.visits, sizes.min_size, sizes.max_size, first_day=0, days=0)
        luck, shop = luck_of(asked.names, day), policy.shop(stands)
        at_door = luck, rows, today, stands.last
        world = World(self._board, shop, no_history, *at_door, nobody, self.discounts, limits)
        self._world = world_struct(world)
        compiled.open_visits(rows, policy.seed, self._world)
        named = set(_OF_SHOPPERS) & set(policy.facts["blocks"])
        self._of_shoppers = {name: policy.of_shoppers(name, asked) for name in named}

    @property
    def candidates(self) -> np.ndarray:
        """(N, K) int64 item codes, the likeliest first."""
        return self._board.candidates

    @property
    def mask(self) -> np.ndarray:
        return self._board.mask

    @property
    def picks(self) -> np.ndarray:
        return self._board.picks

    def blocks(self) -> dict[str, np.ndarray]:
        """The observation, (N, width) float32 by name."""
        b = self._board
        blocks = {"shopper": b.shopper, "context": b.context, "picked": b.picked}
        blocks["candidates"] = b.features.reshape(len(b.features), -1)
        return blocks | self._of_shoppers

    def act(self) -> np.ndarray:
        scores = self._policy.scores(self.blocks())
        return np.where(self._board.mask, scores, -np.inf).argmax(1)

    def step(self, action: np.ndarray) -> None:
        compiled.pick(action, self._world)


# --- the ledger in arrays ---------------------------------------------------------------------------------


def ledger_tables(ledger: Ledger) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A ledger in JSON's own types and arrays, as `ledger_of` reads it."""
    rule = ledger.rule
    facts = {
        "log": ledger.log,
        "start": ledger.start.isoformat(),
        "averages": [rule.averages.category_weight, rule.averages.item_weight],
        "deals": [rule.deals.base, rule.deals.spread],
        "weeks": rule.weeks,
        "shortlist_size": rule.size,
    }
    names = ("shopper_ids", "item_ids", "item_names", "groups", "shelf_price", "unit_cost")
    arrays = {name: getattr(ledger, name) for name in names}
    arrays |= {f"bought/{name}": value.astype(np.int32) for name, value in vars(ledger.bought).items()}
    arrays |= {
        "popularity": rule.averages.popularity,
        "category": rule.averages.category,
        "mean": np.array(rule.mean),
        "spread": np.array(rule.spread),
        "cut": rule.cut,
    }
    return facts, arrays


def ledger_of(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Ledger:
    """What `ledger_tables` wrote."""
    rule = ShopperRule(
        averages=ShopAverages(arrays["popularity"], arrays["category"], *facts["averages"]),
        deals=DealAverages(*facts["deals"]),
        mean=tuple(arrays["mean"]),
        spread=tuple(arrays["spread"]),
        weeks=facts["weeks"],
        size=facts["shortlist_size"],
        cut=arrays["cut"],
    )
    names = ("shopper_ids", "item_ids", "item_names", "groups", "shelf_price", "unit_cost")
    fields = ("shopper", "visit", "item", "day")
    return Ledger(
        log=facts["log"],
        start=pd.Timestamp(facts["start"]),
        **{name: arrays[name] for name in names},
        rule=rule,
        bought=Purchases(*(arrays[f"bought/{name}"].astype(np.int64) for name in fields)),
    )
