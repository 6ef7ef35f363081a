"""How good a ranking of items is, on baskets that the model has not seen. Full ranking, never sampled.

A list is a row of `ids` (n, K), best item first, -1 where it ends early; the truth is a row of 0 and 1 over
all items. Measures are means over the shoppers whose truth is not empty.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import sparse

from bundlegym.recommenders import Recommender

#: Share of the history's own categories in a list's, so that the divergence stays finite (Steck 2018).
_CALIBRATION_MIX = 0.01


def hits(ids: np.ndarray, truth: sparse.csr_matrix) -> np.ndarray:
    """(n, K) bool: which items of the lists `ids` are in `truth` (n, n_items)."""
    rows = np.repeat(np.arange(len(ids)), ids.shape[1])
    found = np.asarray(truth[rows, np.maximum(ids, 0).ravel()]).reshape(ids.shape) > 0
    return found & (ids >= 0)


def accuracy_of_lists(
    ids: np.ndarray, truth: sparse.csr_matrix, *, cut_ideal: bool = True
) -> dict[str, np.ndarray]:
    """Measures of each list, (n,) float64 by name, NaN where the truth is empty.

    With h hits in a list of K, t items in the truth and I in the catalogue: precision h / K, recall h / t,
    hit_rate whether h > 0, accuracy (h + (I - K - t + h)) / I (items rightly in or out of the list), ndcg
    sum over hits of 1 / log2(1 + rank) by the same of an ideal list, mrr 1 / rank of the first hit or 0.

    Args:
        ids: (n, K) lists.
        truth: (n, n_items) of 0 and 1.
        cut_ideal: the ideal list has min(K, t) hits if true, else t, so that more than K items in the truth
            keep NDCG under 1 (as some next-basket papers have it).
    """
    found, k, n_items = hits(ids, truth), ids.shape[1], truth.shape[1]
    size = np.diff(truth.indptr).astype(float)
    size[size == 0] = np.nan
    h = found.sum(1)
    longest = int(max(k, np.nanmax(size, initial=0)))
    gain = 1 / np.log2(np.arange(2, longest + 2))
    ideal = np.concatenate([[0], np.cumsum(gain)])
    n_ideal = np.nan_to_num(np.minimum(size, k) if cut_ideal else size, nan=1.0).astype(int)
    known = np.where(np.isnan(size), np.nan, 1.0)
    first = np.where(h > 0, found.argmax(1) + 1, np.inf)
    return {
        "precision": known * h / k,
        "recall": h / size,
        "hit_rate": known * (h > 0),
        "accuracy": known * (n_items - k - size + 2 * h) / n_items,
        "ndcg": known * (found @ gain[:k]) / ideal[n_ideal],
        "mrr": known / first,
    }


def ranking_metrics(
    ids: np.ndarray,
    truth: sparse.csr_matrix,
    history: sparse.csr_matrix,
    *,
    category: np.ndarray | None = None,
    cut_ideal: bool = True,
) -> dict[str, float]:
    """Every measure of the lists `ids` (n, K), by name.

    Beside the means of `accuracy_of_lists`: `repeat_recall` and `explore_recall` (and `_ndcg`), for which the
    truth is cut down to items that the shopper had bought before, or had not; `repeat_share` of such
    items in the lists; `coverage`, the share of the catalogue that appears in any list; `novelty`, the mean
    of -log2 of the share of shoppers whose history holds the item (floor: half a shopper); and where
    categories (n_items,) are known `diversity`, the share of a list's pairs in different categories, and
    `miscalibration`, the Kullback-Leibler divergence of a list's categories from the history's (Steck 2018,
    Calibrated recommendations).
    """
    known = history.sign()
    repeat = truth.multiply(known).tocsr()
    explore = (truth - repeat).tocsr()
    explore.eliminate_zeros()
    measures = dict(accuracy_of_lists(ids, truth, cut_ideal=cut_ideal))
    for name, part in (("repeat", repeat), ("explore", explore)):
        of_part = accuracy_of_lists(ids, part, cut_ideal=cut_ideal)
        measures |= {f"{name}_{measure}": of_part[measure] for measure in ("recall", "ndcg")}
    shown = ids[ids >= 0]
    buyers = np.maximum(np.asarray(known.sum(0)).ravel(), 0.5)
    measures["repeat_share"] = hits(ids, known).mean(1)
    measures["coverage"] = np.array(len(np.unique(shown)) / truth.shape[1])
    measures["novelty"] = -np.log2(buyers[shown] / len(ids))
    if category is not None:
        measures["diversity"] = diversity(ids, category)
        measures["miscalibration"] = miscalibration(ids, history, category)
    return {name: _mean(values) for name, values in measures.items()}


def diversity(ids: np.ndarray, category: np.ndarray) -> np.ndarray:
    """(n,) share of the pairs in each list whose categories (n_items,) differ, NaN for lists under 2."""
    first, second = np.triu_indices(ids.shape[1], 1)
    both = (ids[:, first] >= 0) & (ids[:, second] >= 0)
    differ = category[ids[:, first]] != category[ids[:, second]]
    with np.errstate(invalid="ignore"):
        return (differ & both).sum(1) / both.sum(1)


def miscalibration(ids: np.ndarray, history: sparse.csr_matrix, category: np.ndarray) -> np.ndarray:
    """(n,) sum_c p(c) log(p(c) / q(c)): p of the history, q of the list with a hundredth of p mixed in."""
    n_categories = int(category.max()) + 1
    one_hot = sparse.csr_matrix(
        (np.ones(len(category)), (np.arange(len(category)), category)), (len(category), n_categories)
    )
    wanted = np.asarray((history @ one_hot).todense(), dtype=float)
    row = np.repeat(np.arange(len(ids)), ids.shape[1])[(ids >= 0).ravel()]
    listed = np.zeros_like(wanted)
    np.add.at(listed, (row, category[ids[ids >= 0]]), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = (counts / counts.sum(1, keepdims=True) for counts in (wanted, listed))
        mixed = (1 - _CALIBRATION_MIX) * q + _CALIBRATION_MIX * p
        terms = np.where(p > 0, p * np.log(p / mixed), 0.0)
    divergence = terms.sum(1)
    divergence[(wanted.sum(1) == 0) | (listed.sum(1) == 0)] = np.nan
    return divergence


def evaluate_ranking(
    model: Recommender,
    shoppers: np.ndarray,
    truth: sparse.csr_matrix,
    *,
    k: int = 10,
    exclude_seen: bool = False,
    cut_ideal: bool = True,
    batch: int = 512,
) -> dict[str, float]:
    """`ranking_metrics` of a model's k best of all items, for (n,) shoppers with truth (n, n_items)."""
    lists = [
        model.recommend(shoppers[start : start + batch], k, exclude_seen)[0]
        for start in range(0, len(shoppers), batch)
    ]
    return ranking_metrics(
        np.concatenate(lists), truth, model.log.counts[shoppers],
        category=model.log.content.attributes.get("category"), cut_ideal=cut_ideal,
    )  # fmt: skip


def latency(
    model: Recommender,
    shoppers: np.ndarray,
    *,
    k: int = 10,
    batch: int = 512,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Milliseconds of one request (one shopper's k best), and shoppers a second when asked for in batches.

    Each of the (n,) shoppers is one request after one request that warms up; give a clock of CPU time
    (`time.process_time`) where the machine is shared.
    """
    model.recommend(shoppers[:1], k)
    taken = []
    for shopper in shoppers:
        start = clock()
        model.recommend(np.array([shopper]), k)
        taken.append(1000 * (clock() - start))
    start = clock()
    for first in range(0, len(shoppers), batch):
        model.recommend(shoppers[first : first + batch], k)
    throughput = len(shoppers) / max(clock() - start, 1e-9)
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "shoppers_per_second": throughput}


def _mean(values: np.ndarray) -> float:
    """Mean of what is not NaN, NaN where nothing is left."""
    finite = values[~np.isnan(values)] if values.ndim else values
    return float(finite.mean()) if finite.size else float("nan")
