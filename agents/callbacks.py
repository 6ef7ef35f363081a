"""What TensorBoard shows besides Stable-Baselines3's own curves: `bundle/*`, `eval/*`, offers and HPARAMS."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import HParam

from bundlegym.agents.checkpoint import save_checkpoint
from bundlegym.envs.base import GAIN, METRICS, VisitRecord

#: What is drawn or told, and no number of a table.
_TENSORBOARD_ALONE = ("stdout", "log", "json", "csv")


class BundleMetrics(BaseCallback):
    """Means of the visits since the last log line, under `bundle/`, and episode sums under `rollout/`.

    `bundle/sizes` (0 where nothing is offered) and `bundle/discounts` (of offers) are histograms. At each
    evaluation `eval/training_less_evaluation` is how much more a visit earned in training since the last one
    than in the evaluation: what the agent knows of its training weeks alone, less what exploring costs; and
    `offers` tells a few offers in words.

    Give its `add` to the VecEnv as `on_visits`. The agent is evaluated and saved every `eval_every` steps and
    at the end, each time after the update on all that it has seen. Once `interrupted()`, it is saved before
    the next roll-out, and a KeyboardInterrupt follows: what it would see until then is not lost.
    `bar(total=, initial=)` makes a progress bar (tqdm's). `examples(model)` are offers in words.
    """

    def __init__(
        self,
        hyper: dict[str, Any],
        evaluate: Callable[[Any], dict[str, float]],
        eval_every: int,
        checkpoint: Path,
        bar: Callable[..., Any],
        interrupted: Callable[[], bool] = lambda: False,
        examples: Callable[[Any], str] = lambda _: "",
    ) -> None:
        super().__init__()
        self.bar, self.interrupted, self.examples = bar, interrupted, examples
        self.hyper, self.evaluate, self.eval_every, self.checkpoint = hyper, evaluate, eval_every, checkpoint
        self.sums = {name: np.zeros(2) for name in METRICS}
        self.sizes: list[np.ndarray] = []
        self.discounts: list[np.ndarray] = []
        #: Gain and number of visits since the last evaluation.
        self.lately = np.zeros(2)
        self.next_eval = 0

    def add(self, record: VisitRecord) -> None:
        """Count the visits of one step."""
        for name, value in record.metrics().items():
            number = value.cpu().numpy()
            known = ~np.isnan(number)
            self.sums[name] += (number[known].sum(), known.sum())
            if name == GAIN:
                self.lately += (number[known].sum(), known.sum())
        size = record.size.cpu().numpy()
        self.sizes.append(size)
        self.discounts.append(record.offer.discount.cpu().numpy()[size > 0])

    def _on_training_start(self) -> None:
        metrics = {f"bundle/{name}": 0.0 for name in METRICS} | {f"eval/{GAIN}": 0.0}
        self.logger.record("hparams", HParam(self.hyper, metrics), exclude=_TENSORBOARD_ALONE)
        self.next_eval = self._next()
        self.progress = self.bar(total=self.locals["total_timesteps"], initial=self.num_timesteps)

    def _on_step(self) -> bool:
        self.progress.update(min(self.num_timesteps, self.progress.total) - self.progress.n)
        return True

    def _on_rollout_start(self) -> None:
        if self.interrupted():
            save_checkpoint(self.model, self.checkpoint)
            self.progress.close()
            raise KeyboardInterrupt
        if self.num_timesteps >= self.next_eval:
            self.next_eval = self._next()
            self._evaluate()  # first: an agent that goes on from the checkpoint is not evaluated there again
            save_checkpoint(self.model, self.checkpoint)

    def _on_rollout_end(self) -> None:
        visits = self.sums["margin_per_visit"][1]
        if visits < 1000:
            return
        for name, (total, count) in self.sums.items():
            if count:
                self.logger.record(f"bundle/{name}", total / count)
        self.logger.record("rollout/reward_per_visit", self.sums[GAIN][0] / visits)
        for name, values in (("sizes", self.sizes), ("discounts", self.discounts)):
            drawn = np.concatenate(values)
            if len(drawn):
                self.logger.record(f"bundle/{name}", th.from_numpy(drawn), exclude=_TENSORBOARD_ALONE)
            values.clear()
        self.sums = {name: np.zeros(2) for name in METRICS}

    def _on_training_end(self) -> None:
        self._evaluate()
        save_checkpoint(self.model, self.checkpoint, finished=True)
        self.progress.close()

    def _next(self) -> int:
        """The next multiple of `eval_every` steps, the same for an agent that was interrupted before."""
        return (self.num_timesteps // self.eval_every + 1) * self.eval_every

    def _evaluate(self) -> None:
        found = self.evaluate(self.model)
        for name, value in found.items():
            self.logger.record(f"eval/{name}", value)
        if GAIN in found and self.lately[1]:
            gap = self.lately[0] / self.lately[1] - found[GAIN]
            self.logger.record("eval/training_less_evaluation", gap)
        self.lately = np.zeros(2)
        if told := self.examples(self.model):  # names of items are the log's, and may be anything
            text = f"<pre>{html.escape(told)}</pre>"
            self.logger.record("offers", text, exclude=_TENSORBOARD_ALONE)
        self.logger.dump(self.num_timesteps)
