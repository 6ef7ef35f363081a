"""The examples of user models as readers will run them; a local server stands in for the language model."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import bundlegym
from bundlegym.user_models import build_user_model
from bundlegym.user_models.testing import problems

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def in_examples(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])


def test_boredom_shopper_keeps_the_contract_and_gets_bored(dataset):
    model = build_user_model("boredom_shopper:BoredomShopper", dataset, {"memory": 3})
    assert problems(model, dataset) == []
    choice = model.shopper.model
    recent, bored = np.zeros((3, 4), dtype=int), np.zeros(4, dtype=int)
    choice.topic = np.array([0, 0, 0, 0, 1])
    recent, bored = choice.after(recent, bored, [0, 1, 2, 3])
    assert bored.tolist() == [3, 0, 0, 0]
    liking = np.ones(4)
    assert (
        choice.click_probability(liking, bored, [0])[0]
        < 0.01
        < choice.click_probability(liking, bored, [4])[0]
    )
    for _ in range(3):
        recent, bored = choice.after(recent, bored, [])
    assert bored.tolist() == [0, 0, 0, 0]


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Speaks just enough of the chat protocol; `fails` is how many questions get no usable answer first."""

    questions: list[dict] = []
    fails, wait, content = 0, 0.0, 'Sure! {"take_bundle": true, "also_buy": [2, 99, "x"]}'

    def do_POST(self):
        cls = type(self)
        cls.questions.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        time.sleep(cls.wait)
        good = cls.fails <= 0
        cls.fails -= 1
        self.send_response(200 if good else 500)
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [{"message": {"content": cls.content}}]}).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint():
    handler = type("OneTest", (Endpoint,), {"questions": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # A client that ran out of patience has hung up.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    handler.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield handler
    server.shutdown()
    server.server_close()


def play(dataset, seed: int = 0, **arguments) -> list[float]:
    env = gym.make(
        "bundlegym/Bundle-v0", dataset=dataset, visits=2,
        user_model="llm_shopper:LLMShopper", user_model_args=arguments,
    )  # fmt: skip
    env.reset(seed=seed)
    return [env.step(action)[1] for action in (3, 7, 32 + 2, 5, 1, 32)]  # type: ignore[misc]


def test_llm_shopper_asks_once_and_replays_without_asking(dataset, endpoint, tmp_path):
    cache = str(tmp_path / "answers.jsonl")
    first = play(dataset, url=endpoint.url, cache=cache, key="k")
    asked = len(endpoint.questions)
    assert asked == 4  # two visits, shopper and twin
    assert "at 10% off" in endpoint.questions[0]["messages"][1]["content"]
    assert play(dataset, cache=cache, replay=True) == first
    assert play(dataset, url=endpoint.url, cache=cache, timeout=1.5) == first
    assert len(endpoint.questions) == asked
    with pytest.raises(bundlegym.UserError, match="holds no answer to this question"):
        play(dataset, seed=1, cache=cache, replay=True)


def test_llm_shopper_keeps_the_contract(dataset, endpoint, tmp_path):
    arguments = {"url": endpoint.url, "cache": str(tmp_path / "answers.jsonl")}
    assert problems(build_user_model("llm_shopper:LLMShopper", dataset, arguments), dataset) == []


def test_llm_shopper_tries_again_keeps_time_and_budget(dataset, endpoint, tmp_path):
    patient = {"url": endpoint.url, "pause": 0, "tries": 2}
    endpoint.fails = 1
    play(dataset, **patient, cache=str(tmp_path / "a"))
    endpoint.fails = 99
    with pytest.raises(bundlegym.UserError, match="no usable answer in 2 tries"):
        play(dataset, **patient, cache=str(tmp_path / "b"))
    endpoint.fails, endpoint.wait = 0, 1.0
    with pytest.raises(bundlegym.UserError, match="no usable answer in 2 tries .*timed out"):
        play(dataset, **patient, cache=str(tmp_path / "c"), timeout=0.1)
    endpoint.wait = 0.0
    with pytest.raises(bundlegym.UserError, match="budget of 1 questions is spent"):
        play(dataset, **patient, cache=str(tmp_path / "d"), budget=1)
