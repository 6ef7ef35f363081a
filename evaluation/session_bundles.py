"""How good the bundles are that were found in sessions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Bundles = Sequence[frozenset[int]]


def bundle_measures(found: Sequence[Bundles], truth: Sequence[Bundles]) -> dict[str, float]:
    """Measures by name; `found[s]` and `truth[s]` are of session s.

    The subset rule of Sun et al. (2024), Adaptive In-Context Learning for Bundle Generation: a found bundle
    is a hit if it is a subset of a true one. `precision` is hits / found and `recall` hits / true, each a
    mean over all sessions, where a session in which nothing was found counts 0; `coverage` is the mean over
    hits of the share that the bundle has of the first true one that it is a subset of. That rule can be
    gamed: many pairs out of one true bundle raise recall past 1, and coverage counts hits only. Therefore
    also `exact_f1`, F1 of bundles found exactly over all sessions together, and `jaccard_f1`, the mean over
    sessions of the harmonic mean of the Jaccard similarity of each found bundle to the nearest true one and
    of each true one to the nearest found.
    """
    precision, recall, jaccard, covered = [], [], [], []
    exact, n_found, n_true = 0, 0, 0
    for mine, theirs in zip(found, truth, strict=True):
        shares = [next((len(b) / len(t) for t in theirs if b <= t), None) for b in mine]
        hits = [share for share in shares if share is not None]
        covered += hits
        precision.append(len(hits) / len(mine) if mine else 0.0)
        recall.append(len(hits) / len(theirs))
        jaccard.append(_jaccard_f1(mine, theirs))
        exact += len(set(mine) & set(theirs))
        n_found, n_true = n_found + len(set(mine)), n_true + len(set(theirs))
    return {
        "precision": float(np.mean(precision)),
        "recall": float(np.mean(recall)),
        "coverage": float(np.mean(covered)) if covered else 0.0,
        "exact_f1": 2 * exact / (n_found + n_true),
        "jaccard_f1": float(np.mean(jaccard)),
    }


def _jaccard_f1(found: Bundles, truth: Bundles) -> float:
    if not found:
        return 0.0
    likeness = np.array([[len(a & b) / len(a | b) for b in truth] for a in found])
    precision, recall = likeness.max(1).mean(), likeness.max(0).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0
