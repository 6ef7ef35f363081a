"""The HTTP service: what it answers, and that nothing a client sends makes it fail."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
httpx = pytest.importorskip("httpx")
service = pytest.importorskip("bundlegym.deployment.service")

from bundlegym.deployment.export import export_policy  # noqa: E402
from bundlegym.deployment.exported import ExportedPolicy  # noqa: E402
from bundlegym.deployment.serve_cli import serve  # noqa: E402
from bundlegym.deployment.testing import malformed_request  # noqa: E402
from bundlegym.errors import guarded  # noqa: E402


@pytest.fixture(scope="module")
def policy(ppo, tmp_path_factory) -> ExportedPolicy:
    folder: Path = tmp_path_factory.mktemp("exported")
    export_policy(ppo, folder)
    return ExportedPolicy.load(folder)


@pytest.fixture(scope="module")
def app(policy):
    return service.make_app(policy)


def send(app: Any, *requests: dict[str, Any]) -> list[Any]:
    async def every() -> list[Any]:
        transport = httpx.ASGITransport(app=app)  # what the application raises is raised here
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return [await client.request(**request) for request in requests]

    return asyncio.run(every())


def post(app: Any, *bodies: dict[str, Any]) -> list[Any]:
    return send(app, *({"method": "POST", "url": "/offers", "json": body} for body in bodies))


def test_health_version_and_description(app, policy):
    health, version, described = send(
        app, *({"method": "GET", "url": url} for url in ("/health", "/version", "/openapi.json"))
    )
    assert health.json() == {"status": "ok"}
    assert version.json()["policy"] == "ppo" and version.json()["log"] == policy.ledger.log
    assert set(described.json()["paths"]) == {"/health", "/version", "/offers"}


def test_offers_are_the_policys(app, policy):
    (known, stranger) = post(
        app,
        {"shopper": "12", "k": 2},
        {"history": [{"item": 7, "time": "2024-05-01"}, {"item": "x", "time": "2024-05-01T10:00:00"}]},
    )
    expected = policy.recommend("12", k=2)
    assert [[i["item"] for i in offer["items"]] for offer in known.json()["offers"]] == [
        [i.item for i in offer.items] for offer in expected.offers
    ]
    assert stranger.status_code == 200 and stranger.json()["unknown_items"] == ["x"]
    assert post(app, {"history": []})[0].status_code == 200


def test_what_is_excluded_for_all_is_never_offered(policy):
    excluded = policy.ledger.excluded(groups=["GROCERY"])
    answers = post(service.make_app(policy, excluded=excluded), *({"shopper": str(i)} for i in range(30)))
    offered = {i["item"] for a in answers for o in a.json()["offers"] for i in o["items"]}
    assert offered and not excluded[[policy.ledger.items[item] for item in offered]].any()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "either shopper or history"),
        ({"shopper": "12", "history": []}, "either shopper or history"),
        ({"shopper": "nobody"}, "shopper nobody"),
        ({"shopper": "12", "k": 0}, "k:"),
        ({"shopper": "12", "k": "2"}, "k:"),
        ({"shopper": "12", "day": "1999-01-01"}, "before the log"),
        ({"shopper": "12", "day": "9999-12-31"}, "9999-12-31"),
        ({"shopper": "12", "exclude_items": ["x"]}, "item x"),
        ({"shopper": "12", "colour": "red"}, "colour"),
        ({"history": [{"item": "1"}]}, "history.0.time"),
        ({"history": [{"item": "1", "time": "soon"}]}, "history.0.time"),
        ({"history": [{"item": "1", "time": "2024-05-01", "quantity": "many"}]}, "history.0.quantity"),
    ],
)
def test_mistakes_are_422_with_a_sentence(app, body, words):
    (answer,) = post(app, body)
    assert answer.status_code == 422 and words in answer.json()["error"]


def test_a_long_body_is_413(app):
    (answer,) = send(app, {"method": "POST", "url": "/offers", "content": b"x" * (service.BODY_LIMIT + 1)})
    assert answer.status_code == 413


def test_a_slow_body_is_408(app):
    async def slow() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/offers", "headers": []}
        await service.BodyLimit(app.app, seconds=0.01)(scope, receive, send)
        return sent

    assert asyncio.run(slow())[0]["status"] == 408


def test_nothing_malformed_makes_it_fail(app):
    rng = np.random.default_rng(0)
    answers = send(app, *(malformed_request(rng) for _ in range(1500)))
    statuses = {answer.status_code for answer in answers}
    assert max(statuses) < 500 and {404, 405, 422} <= statuses


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: holds no policy.json"),
        (["nowhere", "--port", "99999"], "--port: must be a whole number, 1..65535, not 99999"),
        (["FOLDER", "--exclude-categories", "Weapons"], "category Weapons"),
        (["FOLDER", "--exclude-categories", "GROCERY", "DAIRY", "PRODUCE"], "items are left"),
    ],
)
def test_mistakes_of_the_command_are_one_line_and_code_2(
    arguments, words, ppo, tmp_path, monkeypatch, capsys
):
    export_policy(ppo, tmp_path / "policy")
    arguments = [str(tmp_path / "policy") if a == "FOLDER" else a for a in arguments]
    monkeypatch.setattr(sys, "argv", ["bundlegym serve", *arguments])
    with pytest.raises(SystemExit) as end:
        guarded(serve)
    assert end.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and words in last
