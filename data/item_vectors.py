"""Vectors of the items: from files, such as embeddings of their pictures, or made of their texts.

A file is one of

    pictures.npz               arrays `item` (n,) and `vectors` (n, E)
    pictures.npy               (n, E), with the ids in pictures.txt beside it, one a line
    pictures.parquet or .csv   a column `item`, and all others numbers, or a single one of lists of numbers
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bundlegym.data.files import PARQUET_SUFFIXES, READ_ERRORS, beside, stamps, unreadable
from bundlegym.data.ids import is_nothing, read_ids
from bundlegym.data.text_encoder import ENCODER, encode_text
from bundlegym.errors import UserError

#: What vectors made of texts are called.
TEXT = "text"
#: What recommenders call that which the log itself says of an item.
ATTRIBUTES = "attributes"
KINDS = ".npz, .npy, .parquet, .csv"
#: Ids that are named where some of a file are not in the catalogue.
_SHOWN = 3


@dataclass(frozen=True)
class ItemVectors:
    """Vectors as a file has them.

    Attributes:
        label: the file, for messages.
        item: (n,) ids as text, each once.
        values: (n, E) float32, all finite.
    """

    label: str
    item: np.ndarray
    values: np.ndarray

    def of(self, item_ids: np.ndarray) -> tuple[np.ndarray, str]:
        """(n_items, E) float32 of the items `item_ids` (n_items,), 0 where an item has none, and a sentence.

        Raises:
            UserError: no item has one.
        """
        ids = pd.Index(item_ids.astype(str))
        place = pd.Index(self.item).get_indexer(ids)
        if (place < 0).all():
            raise UserError(
                f"{self.label}: must name items of the catalogue, but none of its {len(self.item):,} ids is "
                f"one; the first is '{self.item[0]}', and the catalogue has '{ids[0]}'"
            )
        vectors = np.where(place[:, None] >= 0, self.values[place], np.float32(0))
        strange = self.item[~pd.Index(self.item).isin(ids)]
        sentence = f"{self.label}: {_told(vectors)}"
        if len(strange):
            shown = ", ".join(strange[:_SHOWN]) + (", ..." if len(strange) > _SHOWN else "")
            sentence += f"; {len(strange):,} of its ids are not in the catalogue ({shown})"
        return vectors, sentence


def read_item_vectors(texts: Iterable[str], log: Path) -> dict[str, ItemVectors]:
    """Name -> vectors, of texts NAME=FILE; files are looked for as `vector_files` says.

    Raises:
        UserError: a text is of another form, or a file holds something else than vectors of items.
    """
    return {name: _read(path) for name, path in vector_files(texts, log).items()}


def vector_files(texts: Iterable[str], log: Path) -> dict[str, Path]:
    """Name -> file of texts NAME=FILE, in the working directory or else beside `log`.

    Raises:
        UserError: a text is of another form, or a name is taken or comes twice.
    """
    files: dict[str, Path] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if not file or not re.fullmatch(r"[A-Za-z][\w-]*", name):
            raise UserError(f"--item-vectors: '{text}' is not of the form NAME=FILE, as image=pictures.npz")
        if name == ATTRIBUTES:
            raise UserError(f"--item-vectors: {name} is what the log says of items; choose another name")
        if name in files:
            raise UserError(f"--item-vectors: {name} is given twice")
        files[name] = beside(file, log)
    return files


def vector_stamps(texts: Iterable[str], log: Path) -> list[str]:
    """What tells one state of the files from another.

    Raises:
        UserError: as `vector_files`, or a file is missing.
    """
    paths = vector_files(texts, log).values()
    return [stamp for path in paths for file in _files_of(path) for stamp in stamps(file)]


def item_texts(items: pd.DataFrame, listed: pd.DataFrame | None, columns: Sequence[str]) -> np.ndarray:
    """(n_items,) texts: `columns` in their order with blanks between, in lower case.

    Args:
        items: the catalogue, a row an item in code order, whose columns come first.
        listed: `item` and further columns as the log has them, each item once.

    Raises:
        UserError: neither has such a column, or no item has a text.
    """
    further = pd.DataFrame({"item": []}) if listed is None else listed
    known = [c for c in [*items, *further] if c not in ("item", "unit_cost", "list_price", "weighed")]
    parts = []
    for column in columns:
        if column not in known:
            have = ", ".join(dict.fromkeys(known)) or "none"
            raise UserError(f"--text: the items have no column '{column}'; they have: {have}")
        part = items[column] if column in items else further.set_index("item")[column].reindex(items["item"])
        parts.append(part.fillna("").astype("str").to_numpy(dtype=object))
    rows = [" ".join(filter(None, (text.strip() for text in row))) for row in zip(*parts, strict=True)]
    if not any(rows):
        raise UserError(f"--text: no item has a text in {', '.join(columns)}")
    return np.array([row.lower() for row in rows])


def text_vectors(texts: np.ndarray) -> tuple[np.ndarray, str]:
    """(n_items, E) float32 of texts (n_items,), 0 for the empty ones, and a sentence.

    Raises:
        UserError: the encoder is not installed.
    """
    vectors = np.where(texts[:, None] != "", encode_text(texts), np.float32(0))
    return vectors, f"made of texts by {ENCODER}: {_told(vectors)}"


def has_vector(vectors: np.ndarray) -> np.ndarray:
    """(n_items,) bool of (n_items, E): an item whose numbers are all 0 has no vector."""
    return (vectors != 0).any(axis=1)


def _told(vectors: np.ndarray) -> str:
    n_items, width = vectors.shape
    known = int(has_vector(vectors).sum())
    rest = "" if known == n_items else ", and the others count as neither like nor unlike any item"
    return f"{known:,} of {n_items:,} items have a vector of {width:,} numbers{rest}"


def _files_of(path: Path) -> list[Path]:
    """`path`, and where it is an .npy file, that of its ids."""
    if not path.is_file():
        raise UserError(f"--item-vectors: {path}: no such file")
    if path.suffix.lower() != ".npy":
        return [path]
    ids = path.with_suffix(".txt")
    if not ids.is_file():
        raise UserError(f"{path}: an .npy file says no ids; write them to {ids}, one a line")
    return [path, ids]


def _read(path: Path) -> ItemVectors:
    files = _files_of(path)
    try:
        item, values = _parts(*files)
        item = item.fillna("").astype("str").str.strip()
        if nothing := int(is_nothing(item).sum()):
            raise UserError(f"{path}: {nothing:,} of {len(item):,} vectors have no item")
        item, _ = read_ids(item)
    except ValueError as error:
        if "pickle" in str(error):
            raise UserError(
                f"{path}: holds Python objects (a pickle), which are never loaded; save plain numbers and "
                "texts with numpy.savez"
            ) from error
        raise unreadable(str(path), error) from error
    except READ_ERRORS as error:
        raise unreadable(str(path), error) from error
    return _checked(str(path), item.to_numpy(dtype=object), values)


def _parts(path: Path, *ids: Path) -> tuple[pd.Series, np.ndarray]:
    """Ids and vectors as the files have them."""
    kind = path.suffix.lower()
    if kind == ".npz":
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in ("item", "vectors") if name not in file.files]:
                found = ", ".join(file.files)
                raise UserError(
                    f"{path}: no array {missing[0]}; it has: {found}. It must have item and vectors"
                )
            return pd.Series(file["item"]), file["vectors"]
    if kind == ".npy":
        lines = ids[0].read_text(encoding="utf-8-sig").splitlines()
        return pd.Series(lines, dtype="str"), np.load(path, allow_pickle=False)
    if kind in PARQUET_SUFFIXES:
        return _columns(pd.read_parquet(path), path)
    if kind == ".csv":
        return _columns(pd.read_csv(path, dtype={"item": "str"}, encoding="utf-8-sig"), path)
    raise UserError(f"{path}: not a kind of file that vectors are read from; use one of {KINDS}")


def _columns(table: pd.DataFrame, path: Path) -> tuple[pd.Series, np.ndarray]:
    if "item" not in table:
        some = ", ".join(map(str, table.columns[:5]))
        raise UserError(f"{path}: no column 'item'; it has: {some}{', ...' * (table.shape[1] > 5)}")
    numbers = table.drop(columns="item")
    if numbers.shape[1] == 1 and len(table) and isinstance(numbers.iloc[0, 0], list | np.ndarray):
        return table["item"], np.stack(numbers.iloc[:, 0].map(np.asarray).to_list())
    for name, kind in numbers.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise UserError(f"{path}: column '{name}' must hold numbers, but is {kind}")
    return table["item"], numbers.to_numpy(dtype=np.float32)


def _checked(label: str, item: np.ndarray, values: np.ndarray) -> ItemVectors:
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiub":
        raise UserError(
            f"{label}: vectors are {values.dtype} of shape {values.shape}; must be numbers, a row an item"
        )
    if item.ndim != 1 or len(item) != len(values):
        raise UserError(
            f"{label}: {len(values):,} vectors, but {len(item):,} ids; must be one id for each vector"
        )
    again = pd.Series(item).duplicated().to_numpy()
    if again.any():
        raise UserError(
            f"{label}: must have one vector an item, but {int(again.sum()):,} ids come again; the first is "
            f"'{item[again][0]}'"
        )
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        number = values[bad][0][~np.isfinite(values[bad][0])][0]
        raise UserError(
            f"{label}: must hold finite numbers, but {int(bad.sum()):,} of {len(values):,} vectors do not; "
            f"the first is of item '{item[bad][0]}', with {number}"
        )
    return ItemVectors(label, item, values)
