"""Items like those that the shopper buys, by what is known of them: attributes, text, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from bundlegym.data.item_vectors import ATTRIBUTES, TEXT, has_vector
from bundlegym.data.text_encoder import encode_text
from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Content, Interactions

#: Differences from the mean, as a share of the vectors' length, that are errors of rounding.
_ALIKE = 1e-5


@dataclass(eq=False)
class ContentBased(Recommender):
    """Lops, de Gemmis and Semeraro (2011), Content-based Recommender Systems.

    score(s, i) = cos(p_s, c_i) + w log(1 + n_i) / log(1 + max n): c_i holds a block of unit length for each
    source, p_s is the sum of decay^(visits ago) c_j over the items j that s has bought, n_i the visits of
    anyone with i. Blocks side by side make the cosine the weighted sum of the sources' own (late fusion).

    Each block is standardised: less the mean of the items that have one, since what all items share says
    nothing of which are alike, then of unit length. An item that lacks a block is told by its others.

    Attributes:
        sources: what to read: "attributes", "text", or a name in `Content.vectors`, such as "image". Where
            left empty: the attributes, where there are any, and all vectors.
        weights: of the sources; where left empty 1 for the attributes and 2 for each of the others: in the
            validation weeks of two logs texts did better with 2 than with 1, and vectors of noise cost little
            (`benchmarks/cold_start.py --tune`).
        size: greatest length of the attributes' block.
        decay: what a purchase counts for less with each visit that follows it.
        popularity_weight: w; content alone cannot tell what sells from what does not.
    """

    name: ClassVar[str] = "content"
    learned: ClassVar[tuple[str, ...]] = ("vectors",)
    sources: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    size: int = 128
    decay: float = 0.95
    popularity_weight: float = 0.5

    def _learn(self, log: Interactions) -> None:
        sources = self.sources or _all_sources(log.content)
        weights = self.weights or tuple(1.0 if source == ATTRIBUTES else 2.0 for source in sources)
        if len(weights) != len(sources):
            raise UserError(f"content: {len(weights)} weights for {len(sources)} sources; give one each")
        blocks = [
            np.sqrt(weight) * standardised(self._block(source, log.content, log.n_items))
            for source, weight in zip(sources, weights, strict=True)
        ]
        self.vectors = _unit(np.concatenate(blocks, axis=1))

    def _block(self, source: str, content: Content, n_items: int) -> np.ndarray:
        """(n_items, E) float32 of one source, a row of 0 where it says nothing of the item."""
        if source == ATTRIBUTES and content.attributes:
            return attribute_vectors(list(content.attributes.values()), self.size)
        if source in content.vectors:
            vectors = np.asarray(content.vectors[source], dtype=np.float32)
            if vectors.ndim != 2 or len(vectors) != n_items or not np.isfinite(vectors).all():
                raise UserError(f"content: {source} {vectors.shape}; must be ({n_items}, E), all finite")
            return vectors
        if source == TEXT and content.text is not None:
            return encode_text(content.text)
        has = [
            *([ATTRIBUTES] if content.attributes else []),
            *([TEXT] if content.text is not None and TEXT not in content.vectors else []),
            *content.vectors,
        ]
        raise UserError(f"content: the log's items have no {source!r}; they have {', '.join(has) or 'none'}")

    def _read(self, log: Interactions) -> None:
        popularity = np.log1p(log.popularity)
        self._popularity = self.popularity_weight * popularity / max(float(popularity.max()), 1e-9)
        self._profiles = _unit(log.matrix(self.decay**log.visits_ago) @ self.vectors)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return self._profiles[shoppers] @ self.vectors.T + self._popularity

    @property
    def item_embeddings(self) -> np.ndarray:
        return self.vectors

    @property
    def shopper_embeddings(self) -> np.ndarray:
        return self._profiles


@dataclass(eq=False)
class TextContent(ContentBased):
    """`ContentBased` on the vectors called text where the items have such, else on their names, brands and
    categories as sentences."""

    name: ClassVar[str] = "content-text"
    sources: tuple[str, ...] = ("text",)


def _all_sources(content: Content) -> tuple[str, ...]:
    """The attributes, where there are any or nothing else, and all vectors."""
    return (*([ATTRIBUTES] if content.attributes or not content.vectors else []), *content.vectors)


def standardised(block: np.ndarray) -> np.ndarray:
    """(n_items, E) less the mean of the rows that are not 0, then of length 1; rows of 0 stay, and those that
    hardly differ from the mean become 0."""
    has = has_vector(block)
    if not has.any():
        return block
    rest = block - block[has].mean(axis=0)
    apart = np.linalg.norm(rest, axis=1) > _ALIKE * np.linalg.norm(block[has], axis=1).mean()
    return _unit(np.where((has & apart)[:, None], rest, 0))


def attribute_vectors(attributes: list[np.ndarray], size: int) -> np.ndarray:
    """(n_items, at most size) float32 whose products approximate those of one-hot codes times their rarity.

    A code counts with the log of how few items have it (inverse document frequency); the leading singular
    vectors keep what `size` can hold.
    """
    n_items = len(attributes[0])
    blocks = []
    for codes in attributes:
        rarity = np.log((1 + n_items) / (1 + np.bincount(codes))) + 1e-3
        parts = (rarity[codes], (np.arange(n_items), codes))
        blocks.append(sparse.csr_matrix(parts, (n_items, len(rarity))))
    one_hot = sparse.hstack(blocks).tocsr()
    rank = min(size, min(one_hot.shape) - 1)
    left, values, _ = svds(one_hot, k=rank, v0=np.ones(min(one_hot.shape)))
    return (left * values).astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of 0 stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)
