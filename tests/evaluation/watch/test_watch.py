"""The page to watch shoppers: its answers in process, what it refuses, and once in a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

from bundlegym.errors import UserError
from bundlegym.evaluation.watch.command import open_watch
from bundlegym.evaluation.watch.explain import explained
from bundlegym.evaluation.watch.server import answer, make_server
from bundlegym.user_models.base import Appraisal

#: The last of the discount levels that the log of the run supports.
DEEPEST = 2
HERE = {"host": "127.0.0.1:8001"}
FROM_PAGE = HERE | {"content-type": "application/json", "origin": "http://127.0.0.1:8001"}


def opened(run: Path, **options):
    return open_watch(run, shoppers=6, cache_dir=run.parents[1] / "cache", **options)


@pytest.fixture(scope="module")
def watched(finished_run):
    return opened(finished_run)


@pytest.fixture(scope="module")
def watch(watched):
    return watched[0]


def some_offer(scene: dict, size: int = 2, level: int = DEEPEST, first: int = 0) -> dict:
    return {"items": [one["item"] for one in scene["candidates"][first : first + size]], "level": level}


def test_a_visit_tells_who_stands_there_and_the_same_every_time(watch):
    scene = watch.visit({"shopper": 2, "offers": []})
    assert scene == watch.visit({"shopper": 2, "offers": []})
    assert not scene["shopper"].startswith("secret-") and scene["visit"] == 0 and scene["visits"] == 3
    assert len(scene["candidates"]) == 12
    assert scene["history"]["visits"] and "visits in the" in scene["history"]["sentence"]
    assert all(one["date"] < scene["date"] for one in scene["history"]["visits"])
    assert all(one["margin"] < one["price"] <= one["list_price"] + 1e-5 for one in scene["candidates"])
    codes = [one["item"] for one in scene["candidates"]]
    assert set(scene["agent"]["items"]) <= set(codes)


def test_offers_made_before_are_lived_and_the_twin_is_never_offered_anything(watch):
    ends = 0
    for shopper in range(6):
        past: list[dict] = []
        while not (scene := watch.visit({"shopper": shopper, "offers": past}))["ended"]:
            assert len(scene["past"]) == scene["visit"] == len(past)
            offer = some_offer(scene)
            told = watch.offer({"shopper": shopper, "offers": past, **offer})
            spent = sum(row["twin_paid"] for row in told["basket"])
            assert spent > 0 and told["gain"] == pytest.approx(told["margin"] - told["twin_margin"], abs=1e-4)
            past.append(offer)
            after = watch.visit({"shopper": shopper, "offers": past})
            assert after["past"][-1]["gain"] == pytest.approx(told["gain"], abs=1e-4)
            assert bool(after["ended"]) == (told["left"] or told["last"])
        ends += len(past)
        with pytest.raises(UserError, match="No offer can be made"):
            watch.offer({"shopper": shopper, "offers": past, "items": [], "level": 0})
    assert ends > 6


def test_nothing_offered_changes_nothing(watch):
    told = watch.offer({"shopper": 0, "offers": [], "items": [], "level": 0})
    assert told["gain"] == 0 and told["why"] is None and told["response"] == "was offered nothing"
    assert all(
        (row["pieces"], row["paid"]) == (row["twin_pieces"], row["twin_paid"]) for row in told["basket"]
    )


@pytest.mark.parametrize(("judge", "exposure"), [(None, 0.0), (None, 1.0), ("lookalike", 0.0)])
def test_why_and_what_agree(finished_run, judge, exposure):
    """The explanation is made of an appraisal, the response by the model itself."""
    watch, _ = opened(finished_run, exposure=exposure, judge=judge)
    agree, taken = [], 0
    for shopper in range(6):
        scene = watch.visit({"shopper": shopper, "offers": []})
        for first in range(0, 10, 2):
            for level in (0, DEEPEST):
                offer = some_offer(scene, 2, level, first)
                told = watch.offer({"shopper": shopper, "offers": [], **offer})
                why = told["why"]
                everything = all(line["anyway"] or line["shown"] for line in why["items"])
                expected = everything or (why["saved"] > 0 and why["saved"] >= why["short"])
                agree.append(expected == told["taken"])
                taken += told["taken"]
                for line in why["items"]:
                    if not line["anyway"]:
                        assert line["offered"] >= line["would_pay"] - 1e-5
                        assert exposure or line["offered"] == line["would_pay"]
                        assert 0 <= line["short"] <= line["price"]
                bought = {row["name"]: row["twin_pieces"] > 0 for row in told["basket"]}
                assert all(bought[line["name"]] == line["anyway"] for line in why["items"])
    assert all(agree) and 0 < taken < len(agree)


def test_explanation_by_hand():
    """Two items at 2.00 lack log 2 at slope 1, so that 1.00 would be paid; one is pulled by log 1.5."""

    def row(*values: float) -> torch.Tensor:
        return torch.tensor([values])

    half = float(np.log(2))
    pair = torch.tensor([[[0.0, float(np.log(1.5))], [0.0, 0.0]]])
    none, nothing = torch.tensor([[False, False]]), torch.tensor([[0, 0]])
    appraisal = Appraisal(none, nothing, row(-half, -half), row(1.0, 1.0), row(0.0, 0.0), pair)
    found = explained(appraisal, torch.tensor([2.0, 2.0]), 0.5)
    assert [line["would_pay"] for line in found["items"]] == pytest.approx([1.0, 1.0])
    assert [line["together"] for line in found["items"]] == pytest.approx([1.5, 1.0])
    assert (found["saved"], found["short"]) == pytest.approx((2.0, 1.5))
    assert "it pays to take the bundle whole" in found["words"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shopper": 6}, r"shopper: must be a whole number in 0\.\.5"),
        ({"shopper": True}, "shopper: must be"),
        ({"offers": [{"items": [], "level": 0}] * 4}, "offers: must be a list of 3 at most"),
        ({"offers": [{"items": "x", "level": 0}]}, "offer 1: items must be a list"),
        ({"items": [10**9, 10**9 + 1]}, "no candidate at this visit"),
        ({"level": 99}, r"level: must be a whole number in 0\.\.2"),
        ({"level": 1.5}, "the offer: level must be"),
        ({"items": [], "level": 1}, "no discount on nothing"),
        ({"more": 1}, "must be an object of shopper, offers, items, level"),
    ],
)
def test_a_wrong_question_is_told_in_a_sentence(watched, change, words):
    watch, about = watched
    right = {"shopper": 0, "offers": []} | some_offer(watch.visit({"shopper": 0, "offers": []}))
    with pytest.raises(UserError, match=words):
        watch.offer(right | change)
    found = answer(watch, about, "POST", "/offer", FROM_PAGE, json.dumps(right | change).encode())
    assert found.status == 422 and list(json.loads(found.body)) == ["error"]


def test_sizes_and_repeats(watch):
    scene = watch.visit({"shopper": 0, "offers": []})
    one = scene["candidates"][0]["item"]
    for items, words in (([one], "holds 2 to 4"), ([one, one], "stands there twice")):
        with pytest.raises(UserError, match=words):
            watch.offer({"shopper": 0, "offers": [], "items": items, "level": 0})


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/", HERE, b"", 200),
        ("GET", "/run", {"host": "localhost:8001"}, b"", 200),
        ("GET", "/", {"host": "evil.example"}, b"", 403),
        ("GET", "/", {"host": "127.0.0.1.evil.example:8001"}, b"", 403),
        ("GET", "/", {}, b"", 403),
        ("GET", "/../pyproject.toml", HERE, b"", 404),
        ("GET", "/page.html", HERE, b"", 404),
        ("GET", "/visit", HERE, b"", 405),
        ("POST", "/visit", HERE | {"content-type": "text/plain"}, b"{}", 415),
        ("POST", "/visit", FROM_PAGE | {"origin": "http://evil.example"}, b"{}", 403),
        ("POST", "/visit", FROM_PAGE, b"{", 400),
        ("POST", "/visit", FROM_PAGE, b"[" * 100_000, 400),
        ("POST", "/visit", FROM_PAGE, b"\xff", 400),
        ("POST", "/visit", FROM_PAGE, b"[]", 422),
    ],
)
def test_requests(watched, method, path, headers, body, status):
    found = answer(*watched, method, path, headers, body)  # type: ignore[call-arg]
    assert found.status == status
    if status >= 400:
        assert list(json.loads(found.body)) == ["error"]


def test_page_loads_nothing_and_writes_no_markup(watched):
    found = answer(*watched, "GET", "/", HERE, b"")  # type: ignore[call-arg]
    text = found.body.decode()
    assert "http" not in text.replace("http-equiv", "") and "innerHTML" not in text and "{{" not in text
    assert not any(word in text for word in ("outerHTML", "insertAdjacentHTML", "document.write", "eval("))
    policy = found.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert f'nonce="{policy.split("nonce-")[1].split(chr(39))[0]}"' in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "dqn"}, "has ppo, planner"),
        ({"exposure": 0.5}, "has 0.0, 1.0"),
        ({"judge": "replay"}, "has choice"),
    ],
)
def test_wrong_options(finished_run, options, words):
    with pytest.raises(UserError, match=words):
        opened(finished_run, **options)


def test_a_judge_and_the_planner(finished_run):
    watch, about = opened(finished_run, judge="lookalike", policy="planner", exposure=0.0)
    scene = watch.visit({"shopper": 1, "offers": []})
    told = watch.offer({"shopper": 1, "offers": [], **some_offer(scene)})
    assert "the judge 'lookalike'" in about["reacts"]
    assert told["basket"] and set(told["expected"]) >= {"gain", "pulled"}


@pytest.fixture
def address(watched):
    server = make_server(*watched, 0)  # type: ignore[call-arg]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_over_http(address, watched):
    with urllib.request.urlopen(f"{address}/run") as response:
        assert json.load(response)["policy"] == "ppo"
    port = int(address.rpartition(":")[2])
    with pytest.raises(UserError, match=f"--port {port}: "):
        make_server(*watched, port)  # type: ignore[call-arg]
    long = urllib.request.Request(f"{address}/visit", b" " * 30_000, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(long)
    assert refused.value.code == 413


def test_in_a_browser(address, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=20000", "--dump-dom", f"{address}/",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Run 'small' on" in done.stdout
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in done.stdout
    assert "<script>alert(1)" not in done.stdout and "<img" not in done.stdout
    assert done.stdout.count('type="checkbox"') == 12
