"""What TensorBoard finds in a run: curves, histograms, and offers as text that is no HTML of the log's."""

from __future__ import annotations

from pathlib import Path

import pytest

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture(scope="module")
def events(finished_run: Path):
    (file,) = (finished_run / "ppo-0-exposure-1").glob("events.*")
    found = accumulator.EventAccumulator(str(file), size_guidance={"tensors": 0, "histograms": 0})
    return found.Reload()


def test_offers_are_told_and_names_of_items_are_escaped(events):
    told = [event.tensor_proto.string_val[0].decode() for event in events.Tensors("offers/text_summary")]
    assert len(told) > 1
    for text in told:
        inside = text.removeprefix("<pre>").removesuffix("</pre>")
        assert "Shopper" in inside and "<" not in inside
    assert any("&lt;script&gt;" in text or "&lt;img" in text for text in told)


def test_the_gap_between_training_and_evaluation_is_a_curve(events):
    gap = {event.step: event.value for event in events.Scalars("eval/training_less_evaluation")}
    assert set(gap) <= {event.step for event in events.Scalars("eval/incremental_margin_per_visit")} and gap
