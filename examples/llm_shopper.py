"""Shoppers who are asked of a language model, through any endpoint that speaks OpenAI's chat protocol.

    export LLM_URL=http://localhost:8000/v1 LLM_KEY=...
    python -m bundlegym train --user-model llm_shopper:LLMShopper --user-model-args model=my-model budget=500

The prompt tells what a shop knows (favourites, the last visits, the offer with its prices) and asks for JSON.
Each answer is kept in the cache, a JSON line a question, so that no visit is asked about twice; with
`replay=true` it answers from the cache alone, for tests and for repeating a run. A language model is a guess
about shoppers, not a measurement: judge what was learned on it on models that were fitted to a log.
"""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request

import numpy as np

from bundlegym.errors import UserError
from bundlegym.user_models import Answer

_MEMORY = 12
_ASK = (
    "You are a shopper in a supermarket. Answer with JSON only: "
    '{"take_bundle": true or false, "also_buy": [numbers of items at the full price]}'
)


class LLMShopper:
    """One question a visit, one for the twin, unless the cache knows the answer.

    Args:
        dataset: of the shop.
        model: name that the endpoint knows the model by.
        url, key: of the endpoint; by default from LLM_URL and LLM_KEY.
        cache: file of answers. replay: never ask, only look there.
        budget: most questions that may be asked. timeout: seconds a question. tries: how often it is put.
    """

    def __init__(
        self, dataset, model="default", url=None, key=None, cache="llm_answers.jsonl", replay=False,
        budget=1000, timeout=30.0, tries=3, pause=1.0,
    ):  # fmt: skip
        self.url = (url or os.environ.get("LLM_URL", "")).rstrip("/")
        self.key, self.model, self.replay = key or os.environ.get("LLM_KEY", ""), model, replay
        if not replay and not self.url:
            raise UserError("LLMShopper: no endpoint; set LLM_URL, or give url=..., or replay=true")
        self.budget, self.timeout, self.tries, self.pause, self.asked = budget, timeout, tries, pause, 0
        self.cache, self.answers = cache, {}
        if os.path.exists(cache):
            with open(cache, encoding="utf-8") as file:
                self.answers = {line["key"]: line["answer"] for line in map(json.loads, file)}
        items = dataset.items
        self.names = [n or f"item {i}" for n, i in zip(items["name"], items["item"], strict=True)]
        visits = dataset.visits[dataset.visits["week"] < dataset.split.train_weeks[1]]
        lines = dataset.purchases.join(visits["shopper"], on="visit", how="inner")
        favourites = lines.groupby("shopper")["item"].apply(lambda i: list(i.value_counts().index[:8]))
        self.favourites = favourites.to_dict()

    def reset(self, shopper, day):
        return {"bought": np.full(_MEMORY, -1)}  # the last items bought, newest last

    def respond(self, state, visit, luck):
        shown = list(dict.fromkeys([*visit.offer, *self.favourites.get(visit.shopper, [])]))
        answer = self._answer(self._question(state, visit, shown))
        take = bool(answer.get("take_bundle")) and bool(visit.offer)
        wanted = answer.get("also_buy") or []
        numbers = {n for n in wanted if isinstance(n, int) and 1 <= n <= len(shown)}
        basket = {shown[n - 1]: 1 for n in sorted(numbers) if not (take and shown[n - 1] in visit.offer)}
        bought = [*basket, *(visit.offer if take else ())]
        state["bought"] = np.array([*state["bought"], *bought])[-_MEMORY:]
        return Answer(take, basket, days=int(luck.integers(3, 11)))

    def _question(self, state, visit, shown):
        recent = [self.names[i] for i in state["bought"] if i >= 0]
        lines = [f"Week {visit.week}. You lately bought: {', '.join(recent) or 'nothing yet'}."]
        lines += [f"{n}. {self.names[i]}, {visit.prices[i]:.2f}" for n, i in enumerate(shown, 1)]
        if visit.offer:
            numbers = ", ".join(str(shown.index(i) + 1) for i in visit.offer)
            lines.append(f"Offer: items {numbers} together at {visit.discount:.0%} off. Take all of it?")
        return "\n".join(lines)

    def _answer(self, question):
        key = hashlib.sha256(f"{self.model}\n{question}".encode()).hexdigest()[:24]
        if key not in self.answers:
            if self.replay:
                raise UserError(f"LLMShopper: {self.cache} holds no answer to this question:\n{question}")
            self.answers[key] = self._ask(question)
            with open(self.cache, "a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "question": question, "answer": self.answers[key]}) + "\n")
        return self.answers[key]

    def _ask(self, question):
        if self.asked >= self.budget:
            raise UserError(f"LLMShopper: the budget of {self.budget} questions is spent; raise budget=...")
        self.asked += 1
        messages = [{"role": "system", "content": _ASK}, {"role": "user", "content": question}]
        body = json.dumps({"model": self.model, "temperature": 0, "messages": messages}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(f"{self.url}/chat/completions", body, headers)
        error = None
        for attempt in range(self.tries):
            time.sleep(self.pause * attempt)
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                    text = json.load(reply)["choices"][0]["message"]["content"]
                answer = json.loads(text[text.index("{") : text.rindex("}") + 1])
                if isinstance(answer, dict):
                    return answer
                error = f"no JSON object in {text!r}"
            except (OSError, ValueError, KeyError, IndexError, TypeError) as problem:
                error = problem
        raise UserError(f"LLMShopper: {self.url} gave no usable answer in {self.tries} tries ({error})")
