"""Departments, categories and subcategories from the items' names, for a catalogue that has none.

Items whose names share rare words go together: word weights are TF-IDF, their leading directions (latent
semantic analysis, Deerwester et al. 1990) are cut into clusters by k-means, and these into fewer ones by
Ward's method. A cluster is called by the words that weigh most in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

#: Level of the catalogue -> items in one of its groups, on average.
GROUP_SIZE = {"department": 400, "category": 40, "subcategory": 8}
#: Fewer items with a name are left as they are.
LEAST_ITEMS = 40
_DIRECTIONS = 64
_LABEL_WORDS = 2


def categories_of_names(items: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """`items` with `department`, `category` and `subcategory` made of `name`, and a sentence on it; as they
    are, and "", where some item has a category, or too few have a name."""
    given = [level for level in GROUP_SIZE if level in items and (items[level].fillna("") != "").any()]
    if given or "name" not in items:
        return items, ""
    named = (items["name"].fillna("").astype(str).str.strip() != "").to_numpy()
    if named.sum() < LEAST_ITEMS:
        return items, ""
    from sklearn.decomposition import TruncatedSVD  # takes long to import, and most logs have categories
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    # Words of letters: numbers and single letters are sizes and codes.
    words = TfidfVectorizer(token_pattern=r"[^\W\d_]{2,}", min_df=2, max_df=0.5)
    try:
        weight = words.fit_transform(items["name"][named].astype(str).str.lower())
    except ValueError:  # no word is in two names
        return items, ""
    if weight.shape[1] > _DIRECTIONS:
        vectors = normalize(TruncatedSVD(_DIRECTIONS, random_state=0).fit_transform(weight))
    else:
        vectors = weight.toarray()
    group = _clusters(vectors)
    found = items.copy()
    vocabulary = words.get_feature_names_out()
    for level, code in group.items():
        labels = np.full(len(items), "", dtype=object)
        labels[named] = np.array(_labels(weight, code, vocabulary), dtype=object)[code]
        found[level] = labels
    numbers = ", ".join(f"{code.max() + 1:,} {_PLURAL[level]}" for level, code in group.items())
    return found, f"the log has no categories; {numbers} are made of the words that names of items share"


_PLURAL = {"department": "departments", "category": "categories", "subcategory": "subcategories"}


def _clusters(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Level -> (n,) codes from 0; each group lies in one of the level above."""
    from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans  # as above

    sizes = {level: max(1, len(vectors) // size) for level, size in GROUP_SIZE.items()}
    kmeans = MiniBatchKMeans(sizes["subcategory"], random_state=0, n_init=3, batch_size=4096)
    fine = np.unique(kmeans.fit_predict(vectors), return_inverse=True)[1]
    count = np.bincount(fine)
    centres = np.stack([np.bincount(fine, column) / count for column in vectors.T], 1)
    found = {"subcategory": fine}
    for level in ("category", "department"):
        n_groups = min(sizes[level], len(centres))
        if n_groups == 1:
            found[level] = np.zeros(len(vectors), dtype=np.int64)
        else:
            found[level] = AgglomerativeClustering(n_groups).fit_predict(centres)[fine]
    return {level: found[level] for level in GROUP_SIZE}


def _labels(weight: csr_matrix, code: np.ndarray, vocabulary: np.ndarray) -> list[str]:
    """Of each group its words of greatest total weight, and a number where two would be called alike."""
    labels: list[str] = []
    groups = csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))))
    for total in (groups @ weight).toarray():
        most = np.argsort(-total, kind="stable")[:_LABEL_WORDS]
        label = " ".join(vocabulary[word] for word in most if total[word] > 0) or "other"
        again = sum(other.partition(" #")[0] == label for other in labels)
        labels.append(f"{label} #{again + 1}" if again else label)
    return labels
