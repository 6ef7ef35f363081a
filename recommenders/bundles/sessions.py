"""Which items of a session belong together: a learned likeness of pairs, then clusters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Session:
    """What a shopper looked at together.

    Attributes:
        items: codes.
        bundles: the sets of codes that belong together, where somebody has said so.
    """

    items: tuple[int, ...]
    bundles: tuple[frozenset[int], ...] = ()

    def together(self) -> np.ndarray:
        """(pairs,) bool: which pairs of items share a bundle, in the order of `itertools.combinations`."""
        pairs = itertools.combinations(self.items, 2)
        return np.array([any(a in bundle and b in bundle for bundle in self.bundles) for a, b in pairs], bool)


@dataclass(eq=False)
class SessionBundles:
    """Logistic regression on pairs of items, then average-linkage clustering of each session.

    With v the items' vectors and z their first principal components, a pair (a, b) of a session of n items
    has the features n, cos(v_a, v_b), the same less its mean over the session's pairs, and the products
    z_a * z_b, whose weights make a likeness of their own (a diagonal bilinear form). p(a, b) is the
    probability that the two share a bundle. Clusters merge while the mean p between them is at least
    `threshold`; those of two items and more are bundles.

    Attributes:
        components: principal components that enter.
        strength: of the data against the ridge penalty on standardised features (C of scikit-learn).
        threshold: the least mean probability of two clusters that merge; to be tuned on sessions that were
            not fitted on.
    """

    components: int = 32
    strength: float = 0.01
    threshold: float = 0.4

    def fit(self, vectors: np.ndarray, sessions: Sequence[Session]) -> Self:
        """Learn from sessions with bundles; `vectors` (n_items, E) are of unit length."""
        from sklearn.decomposition import PCA  # takes long to import, and few ask for it
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.vectors = np.asarray(vectors, dtype=np.float64)
        seen = [item for session in sessions for item in session.items]
        pca = PCA(self.components, svd_solver="full").fit(self.vectors[seen])
        self.projected = pca.transform(self.vectors)
        features = np.concatenate([self._features(session.items) for session in sessions])
        together = np.concatenate([session.together() for session in sessions])
        model = make_pipeline(StandardScaler(), LogisticRegression(C=self.strength, max_iter=1000))
        model.fit(features, together)
        scale, regression = model[0], model[1]
        self.weights = regression.coef_[0] / scale.scale_
        self.bias = regression.intercept_[0] - scale.mean_ @ self.weights
        return self

    def score(self, items: Sequence[int]) -> np.ndarray:
        """(pairs,) float64 probabilities that two items share a bundle, in the order of `together`."""
        return expit(self._features(items) @ self.weights + self.bias)

    def recommend(self, items: Sequence[int]) -> list[frozenset[int]]:
        """The bundles found among the items of a session; items that belong to none are left out."""
        from scipy.cluster.hierarchy import fcluster, linkage

        if len(items) < 2:
            return []
        merged = linkage(1.0 - self.score(items), method="average")
        cluster = fcluster(merged, 1.0 - self.threshold, criterion="distance")
        found = [
            frozenset(item for item, c in zip(items, cluster, strict=True) if c == label)
            for label in np.unique(cluster)
        ]
        return [bundle for bundle in found if len(bundle) > 1]

    def save(self, path: Path) -> None:
        """Write one NPZ file."""
        np.savez_compressed(
            path, allow_pickle=False, vectors=self.vectors, projected=self.projected, weights=self.weights,
            bias=self.bias, components=self.components, strength=self.strength, threshold=self.threshold,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            model = cls(int(file["components"]), float(file["strength"]), float(file["threshold"]))
            for name in ("vectors", "projected", "weights", "bias"):
                setattr(model, name, file[name])
        return model

    def _features(self, items: Sequence[int]) -> np.ndarray:
        """(pairs, 3 + components)."""
        first, second = np.triu_indices(len(items), 1)
        vectors, projected = self.vectors[list(items)], self.projected[list(items)]
        cosine = (vectors[first] * vectors[second]).sum(1)
        mean = cosine.mean() if len(cosine) else 0.0
        return np.column_stack(
            [np.full(len(first), len(items)), cosine, cosine - mean, projected[first] * projected[second]]
        )
