"""Recommenders by name, as the command line and saved folders call them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any

from bundlegym.data.item_vectors import TEXT
from bundlegym.data.text_encoder import require_encoder
from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender, read_header

#: name -> where the class is; imported when asked for, since some need heavy libraries.
RECOMMENDERS = {
    "popularity": "popularity:Popularity",
    "frequency": "frequency:Frequency",
    "tifu-knn": "tifu_knn:TIFUKNN",
    "up-cf": "up_cf:UPCF",
    "user-knn": "user_knn:UserKNN",
    "item-knn": "item_knn:ItemKNN",
    "ease": "ease:EASE",
    "als": "als:ALS",
    "bpr": "bpr:BPR",
    "rules": "rules:AssociationRules",
    "markov": "markov:Markov",
    "content": "content:ContentBased",
    "content-text": "content:TextContent",
    "dmf": "neural.dmf:DMF",
    "caser": "neural.caser:Caser",
    "gru": "neural.recurrent:GRU",
    "lstm": "neural.recurrent:LSTM",
    "sasrec": "neural.sasrec:SASRec",
    "bert4rec": "neural.bert4rec:BERT4Rec",
    "lightgcn": "graph.lightgcn:LightGCN",
    "gat": "graph.gat:GraphAttention",
    "gae": "graph.gae:GraphAutoEncoder",
    "blend": "blend:Blend",
    "ranker": "ranker:Ranker",
}


def recommender_class(name: str) -> type[Recommender]:
    """The class called `name`.

    Raises:
        UserError: there is none of that name.
    """
    if name not in RECOMMENDERS:
        raise UserError(f"unknown recommender {name!r}; known are {', '.join(RECOMMENDERS)}")
    module, _, cls = RECOMMENDERS[name].partition(":")
    return getattr(import_module(f"bundlegym.recommenders.{module}"), cls)


def check_installed(name: str, vectors: Collection[str] = ()) -> None:
    """For those who fit a recommender late, and want to know before what it needs.

    Args:
        vectors: names of those that the items have already.

    Raises:
        UserError: there is none of that name, or an extra that it needs is not installed.
    """
    if TEXT in getattr(recommender_class(name), "sources", ()) and TEXT not in vectors:
        require_encoder()


def make_recommender(name: str, **parameters: Any) -> Recommender:
    """An unfitted recommender; hyper-parameters that are not given keep their defaults.

    Raises:
        UserError: there is no such recommender, or it has no such hyper-parameter.
    """
    cls = recommender_class(name)
    known = [f.name for f in dataclasses.fields(cls)]
    for parameter in parameters:
        if parameter not in known:
            raise UserError(f"recommender {name!r} has no {parameter!r}; it has {', '.join(known) or 'none'}")
    return cls(**parameters)


def load_recommender(folder: Path) -> Recommender:
    """The fitted recommender that `save` wrote into a folder.

    Raises:
        UserError: the folder holds none, or one of an unknown name.
    """
    return recommender_class(read_header(folder)["name"]).load(folder)
