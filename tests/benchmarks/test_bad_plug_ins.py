"""The benchmark of wrong classes, on a few of them."""

from __future__ import annotations

from benchmarks.bad_plug_ins import source, try_out


def test_a_few_wrong_classes_are_told_and_none_hangs():
    ends, longest, bad = try_out([*range(12), 73], patience=0.2)  # 73 catches its own end
    assert bad == [] and ends["told"] >= 8 and longest < 30.0


def test_the_same_seed_writes_the_same_class():
    assert source(3) == source(3) != source(4)
