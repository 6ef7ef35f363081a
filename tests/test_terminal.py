"""What a command prints obeys nobody but the reader, and what goes wrong is one line."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path

import pandas as pd
import pytest

from bundlegym.data.config import DataConfig
from bundlegym.data.files import (
    private_files,
    private_folder,
    replacing,
    without_formulas,
    write_csv,
    write_text,
)
from bundlegym.deployment.recommend_cli import RecommendConfig
from bundlegym.errors import UserError, guarded
from bundlegym.options import Parser, parsed
from bundlegym.terminal import remark, say, shown, worth_telling

OBEYED = "\x1b[2J\r\x07\x08\x9b\u202e\u2066\u2028\u2029"


@pytest.mark.parametrize("steps", [1, 2, 5, 24, 78, 1000])
def test_of_many_steps_about_ten_are_told(steps):
    told = [step for step in range(steps) if worth_telling(step, steps)]
    assert told[0] == 0 and told[-1] == steps - 1 and min(steps, 8) <= len(told) <= 12


def test_a_terminal_is_told_nothing_but_text(capsys):
    say(f"two\nlines{OBEYED}")
    remark(OBEYED)
    printed = capsys.readouterr()
    assert not set(OBEYED) - set("[2J") & set(printed.out + printed.err)
    assert printed.out.startswith("two\nlines\\x1b[2J\\r\\x07") and "\\u202e" in printed.out
    assert shown("Crème\nbrûlée 牛乳") == "Crème\\nbrûlée 牛乳"


@pytest.mark.parametrize(
    "error, words",
    [
        (UserError(f"file{OBEYED}\nx: wrong"), "error: file\\x1b[2J"),
        (
            OSError(errno.ENOSPC, "No space left on device", "run/x"),
            "run/x: No space left .*again",
        ),
        (OSError(errno.EFBIG, "File too large"), "File too large; .*make room"),
        (PermissionError(errno.EACCES, "Permission denied", "run"), "run: Permission denied"),
        (MemoryError(), "memory ran out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory ran out"),
    ],
)
def test_what_is_not_ours_is_one_line_and_code_2(error, words, capsys):
    def fails() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        guarded(fails)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and len(said.splitlines()) == 1
    assert words in said or re.search(words, said)


def test_our_own_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: print(1 / 0))


@pytest.mark.parametrize(
    "kind, line, words",
    [
        (DataConfig, "--min-purchase 3", "unknown option --min-purchase; is --min-purchases meant"),
        (DataConfig, "--min_purchase=3", "unknown option --min_purchase; is --min-purchases meant"),
        (DataConfig, "--xyzzy red", "unknown option --xyzzy; --help lists"),
        (DataConfig, "--min-purchases x", "--min-purchases: invalid literal"),
        (DataConfig, "--log", "'--log'"),
        (DataConfig, "--log a b", "unexpected argument 'b'"),
        (RecommendConfig, "", "PATH Folder of a finished run"),
        (RecommendConfig, "run --otu x", "is --out meant"),
    ],
)
def test_a_wrong_line_is_one_sentence_that_names_the_option(kind, line, words, capsys):
    with pytest.raises(UserError) as told:
        parsed(kind, args=line.split())
    assert words in str(told.value) and len(str(told.value).splitlines()) == 1
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_argparse_is_held_to_the_same(capsys):
    parser = Parser()
    parser.add_argument("--episodes", type=int)
    for line, words in (
        ("--episode 3", "unknown option --episode; is --episodes meant"),
        ("--episodes x", "argument --episodes: invalid int value: 'x'"),
        ("--episodes", "argument --episodes: expected one argument"),
    ):
        with pytest.raises(UserError, match=words):
            parser.parse_args(line.split())
    assert capsys.readouterr().err == ""


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_text(path, "before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError), replacing(path) as part:
        part.write_text("half")
        full()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        write_text(path, "after")
    assert path.read_text() == "before" and [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_only_the_owner_can_read_what_tells_of_people(tmp_path):
    private_folder(tmp_path / "a" / "b")
    with private_files():
        write_text(tmp_path / "a" / "b" / "file", "secret")
    modes = [stat.S_IMODE(place.stat().st_mode) for place in sorted((tmp_path / "a").rglob("*"))]
    assert modes == [0o700, 0o600] and stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_a_table_for_a_spreadsheet_computes_nothing(tmp_path: Path):
    table = pd.DataFrame(
        {"name": ["=1+1", "+1", "-x", "@y", "\tz", "milk", None], "price": [-1.5, *range(6)]}
    )
    write_csv(tmp_path / "t.csv", table)
    read = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert not read["name"].str.startswith(("=", "+", "-", "@", "\t", "\r")).any()
    assert read["name"][5] == "milk" and read["price"][0] == -1.5
    assert without_formulas(table)["name"].isna().tolist() == [False] * 6 + [True]
