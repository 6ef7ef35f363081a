"""A run from a log to a judged agent: prepare, fit, train, judge; each part is kept and can be resumed."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shlex
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger, make_output_format
from stable_baselines3.common.vec_env import VecMonitor
from tqdm import tqdm

from bundlegym.agents.base import Policy
from bundlegym.agents.callbacks import BundleMetrics, StopOn
from bundlegym.agents.checkpoint import load_checkpoint
from bundlegym.agents.dqn import make_dqn
from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.agents.ppo import make_ppo
from bundlegym.data import Dataset, prepare
from bundlegym.data.files import write_json
from bundlegym.envs import BundleCore, BundleVecEnv, Market, build_market, recommended
from bundlegym.envs.base import EMBEDDING_SIZE
from bundlegym.envs.views import to_numpy
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.config import TrainConfig, from_json, to_json
from bundlegym.evaluation.judge import estimate, play
from bundlegym.evaluation.rivals import Contender, heuristics, hindsight, oracle, planner
from bundlegym.evaluation.side_by_side import train_side_by_side
from bundlegym.evaluation.table import example_offers, format_table
from bundlegym.recommenders import (
    Interactions,
    Recommender,
    check_installed,
    item_vectors,
    load_recommender,
    make_recommender,
)
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel
from bundlegym.user_models.build import FAMILIES
from bundlegym.user_models.fidelity.report import as_json, as_text, compare

_MAKERS: dict[str, Any] = {"ppo": make_ppo, "dqn": make_dqn}
_LEVEL_EPISODES, _EVAL_EPISODES = 1024, 1024
#: Seeds of judging are far from those of training, so that no agent has met the same luck.
_JUDGE_SEED, _EVAL_SEED = 1_000_003, 3_000_017


def pick_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no GPU here; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


class Experiment:
    """Data, shoppers and market of one run folder; `run` does all of it."""

    def __init__(self, config: TrainConfig) -> None:
        self.config, self.folder = config, config.folder
        self.device = pick_device(config.device)
        self.dataset: Dataset = prepare(config.data)
        # Before the folder is made: a wrong class or a missing extra leaves none behind.
        for name in filter(None, (config.candidates, config.embeddings, *config.greedy)):
            check_installed(name)
        plugged = population.plugged(config, self.dataset, self.device)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "config.json").exists():
            write_json(self.folder / "config.json", to_json(config))
            (self.folder / "command.txt").write_text(shlex.join(sys.argv) + "\n")
        write_json(self.folder / "data_report.json", self.dataset.report)
        self.user_model: UserModel = plugged or population.trained_on(
            self.folder, config, self.dataset, self.device
        )
        self.market: Market = self._market()

    @staticmethod
    def open(folder: Path) -> Experiment:
        """An existing run.

        Raises:
            UserError: the folder holds no readable config.json.
        """
        return Experiment(read_config(folder))

    def _market(self) -> Market:
        source, vectors = self.config.candidates, self.config.embeddings
        return build_market(
            self.dataset,
            device=self.user_model.device,
            candidates=recommended(self.recommender(source)) if source else None,
            embeddings=item_vectors(self.recommender(vectors), EMBEDDING_SIZE) if vectors else None,
        )

    def core(
        self,
        n: int,
        *,
        held_out: bool,
        weeks: tuple[int, int],
        seed: int,
        judge: UserModel | None = None,
        reward_draws: int = 1,
    ) -> BundleCore:
        """A simulator of n held-out or training shoppers in some weeks; `judge` reacts if it is given."""
        shoppers = np.flatnonzero(self.dataset.split.held_out == held_out)
        env = dataclasses.replace(self.config.env, reward_draws=reward_draws)
        return BundleCore(
            self.market, judge or self.user_model, env, n=n, shoppers=shoppers, weeks=weeks, seed=seed
        )

    def judging_core(self, n: int, judge: UserModel | None = None) -> BundleCore:
        """A simulator of n held-out shoppers in the test weeks, as in the tables."""
        weeks = self.dataset.split.test_weeks
        return self.core(n, held_out=True, weeks=weeks, seed=_JUDGE_SEED, judge=judge)

    @one_thread()
    def run(self) -> dict[str, Any]:
        """Train what is not yet trained, judge everything, write and return the results."""
        config = self.config
        self._tell_fidelity()
        seeds = range(config.seed, config.seed + config.seeds)
        jobs = [(agent, seed) for agent in config.agents for seed in seeds]
        workers = min(len(jobs), config.workers or (os.cpu_count() or 1 if self.device.type == "cpu" else 1))
        if workers > 1:
            train_side_by_side(train_one, self.folder, jobs, workers)
        agents = {agent: [learned(self.train(agent, seed)) for seed in seeds] for agent in config.agents}
        results = self._judge(agents)
        write_json(self.folder / "results.json", results)
        return results

    def _tell_fidelity(self) -> None:
        """How like shoppers the family trained on is, in the validation weeks, printed and kept once."""
        name, path = self.config.user_model, self.folder / "fidelity.json"
        if name not in FAMILIES or path.exists():
            return
        weeks = self.dataset.split.validation_weeks
        try:
            results = compare(
                name, self.user_model, self.dataset, weeks, seed=self.config.seed, progress=lambda _: None
            )
        except UserError as error:
            print(f"fidelity: {error}", file=sys.stderr)
            return
        content = as_json(name, self.dataset, results)
        print(as_text(content, brief=True), file=sys.stderr)
        write_json(path, content)

    def model(self, agent: str, seed: int, on_visits: Any = None) -> Any:
        """A fresh agent on the training shoppers and weeks."""
        weeks, draws = self.dataset.split.train_weeks, self.config.env.reward_draws
        core = self.core(self.config.n_envs, held_out=False, weeks=weeks, seed=seed, reward_draws=draws)
        env = VecMonitor(BundleVecEnv(core, on_visits))
        return _MAKERS[agent](env, seed=seed, device=self.device, gamma=self.config.gamma)

    def train(self, agent: str, seed: int, line: int = 0) -> Any:
        """The trained model; what its checkpoint holds already is not trained again.

        Args:
            line: of the progress bar, where several stand below each other.
        """
        config, folder = self.config, self.folder / f"{agent}-{seed}"
        folder.mkdir(exist_ok=True)
        checkpoint, steps = folder / "checkpoint.safetensors", config.steps_of(agent)
        episodes = min(_EVAL_EPISODES, config.episodes)

        @cache  # not made for an agent that is trained already
        def validation() -> BundleCore:
            weeks = self.dataset.split.validation_weeks
            return self.core(episodes, held_out=False, weeks=weeks, seed=seed)

        def evaluate(model: Any) -> dict[str, float]:
            rows = estimate([play(validation(), learned(model), _EVAL_SEED)])
            return {name: row["mean"] for name, row in rows.items() if row["mean"] is not None}

        hyper = {"agent": agent, "seed": seed, "steps": steps, "n_envs": config.n_envs, "gamma": config.gamma}
        bar = partial(tqdm, desc=f"{agent}, seed {seed}", unit=" steps", position=line)
        metrics = BundleMetrics(hyper, evaluate, config.eval_every, checkpoint, bar)
        model = self.model(agent, seed, metrics.add)
        if checkpoint.exists():
            load_checkpoint(model, checkpoint)
            model.get_env().seed(seed + model.num_timesteps)  # not the luck of the first part again
        done = model.num_timesteps
        if done >= steps:
            return model
        part = f"-{done}" if done else ""  # what is resumed goes on in a file of its own, progress-STEPS.csv
        formats = [make_output_format(kind, str(folder), part) for kind in ("tensorboard", "csv")]
        model.set_logger(Logger(str(folder), formats))
        with interrupts_noted() as interrupted:
            model.learn(steps - done, callback=[metrics, StopOn(interrupted)], reset_num_timesteps=False)
        if interrupted():
            print(f"\nto continue: python train.py --resume {self.folder}", file=sys.stderr)
            raise KeyboardInterrupt
        return model

    def _judge(self, agents: dict[str, list[Policy]]) -> dict[str, Any]:
        config, split = self.config, self.dataset.split
        episodes = min(_LEVEL_EPISODES, config.episodes)
        tuning = self.core(episodes, held_out=False, weeks=split.train_weeks, seed=0)
        contenders = heuristics(tuning, {name: self.recommender(name) for name in config.greedy})
        contenders += [Contender(name, "learned", policies) for name, policies in agents.items()]
        if config.planner_episodes:
            contenders.append(planner(self.user_model))
        if config.hindsight_episodes:
            contenders.append(hindsight())
        judges = {
            f"{family}, judge": population.judge(self.folder, family, config, self.dataset, self.device)
            for family in config.judges
        }
        return {
            "rows": self._table(contenders, config.user_model, self.user_model),
            "judges": [row for name, model in judges.items() for row in self._table(contenders, name, model)],
            "seeds": config.seeds,
            "episodes": config.episodes,
            "log": self.dataset.name,
            "notes": list(self.dataset.notes),
        }

    def _table(self, contenders: list[Contender], name: str, user_model: UserModel) -> list[dict[str, Any]]:
        """A row a contender: its figures with held-out shoppers in test weeks, as `user_model` sees them."""
        rows, config = [], self.config
        fewer = {"hindsight": config.hindsight_episodes} | dict.fromkeys(
            ("planner", "oracle"), config.planner_episodes
        )
        if config.planner_episodes and user_model is not self.user_model:
            contenders = [*contenders, oracle(user_model)]
        for rival in tqdm(contenders, desc=f"held-out shoppers and weeks ({name})"):
            n = fewer.get(rival.kind, config.episodes)
            weeks = self.dataset.split.test_weeks
            core = self.core(n, held_out=True, weeks=weeks, seed=0, judge=user_model)
            figures = estimate([play(core, policy, _JUDGE_SEED) for policy in rival.policies])
            who = {"policy": rival.name, "kind": rival.kind, "user_model": name, "episodes": n}
            rows.append(who | figures)
            if rival.kind == "planner" and user_model is self.user_model:  # which is the oracle here
                rows.append(rows[-1] | {"policy": "oracle", "kind": "oracle"})
        return rows

    def recommender(self, name: str) -> Recommender:
        """A recommender fitted on the training weeks of shoppers who are not held out, kept with the run."""
        folder = self.folder / "recommenders" / name
        if (folder / "recommender.json").exists():
            return load_recommender(folder)
        print(f"recommender {name}: fitting", file=sys.stderr)
        model = make_recommender(name).fit(
            Interactions.from_dataset(self.dataset, self.dataset.split.train_weeks)
        )
        model.save(folder)
        return model

    def examples(self, count: int = 5) -> str:
        """Example offers of the first trained agent, in words."""
        agent, seed = self.config.agents[0], self.config.seed
        model = self.model(agent, seed)
        load_checkpoint(model, self.folder / f"{agent}-{seed}" / "checkpoint.safetensors")
        core = self.core(count, held_out=True, weeks=self.dataset.split.test_weeks, seed=0)
        return example_offers(core, learned(model), self.dataset, _JUDGE_SEED, count)


@one_thread()
def train_one(folder: Path, agent: str, seed: int, line: int) -> None:
    """Train one agent of an existing run, in a process of its own."""
    Experiment.open(folder).train(agent, seed, line)


def learned(model: Any) -> Policy:
    """A trained Stable-Baselines3 model under the policies' contract; it acts without exploring."""

    def policy(core: BundleCore) -> torch.Tensor:
        actions, _ = model.predict(
            to_numpy(core.observe()), deterministic=True, action_masks=core.masks().cpu().numpy()
        )
        return torch.as_tensor(actions, dtype=torch.int64, device=core.device)

    return policy


def read_config(folder: Path) -> TrainConfig:
    """The configuration of an existing run; the run is where it is now, wherever it was made.

    Raises:
        UserError: the folder holds no readable config.json.
    """
    path = folder / "config.json"
    try:
        config = from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: not the folder of a run, no readable config.json ({error})") from error
    return dataclasses.replace(config, runs=folder.resolve().parent, name=folder.resolve().name)


def summary(results: dict[str, Any]) -> str:
    """The tables, one a user model, with what they rest on."""
    size = f"{results['episodes']} episodes, {results['seeds']} seed(s)"
    parts = [f"{results['log']}: held-out shoppers and test weeks, {size}; 95 % intervals"]
    trained_on = results["rows"][0]["user_model"]
    parts.append(f"Shoppers: {trained_on}, the model trained on\n\n{format_table(results['rows'])}")
    for name, rows in itertools.groupby(results["judges"], lambda row: row["user_model"]):
        parts.append(f"Shoppers: {name}, fitted on held-out shoppers\n\n{format_table(list(rows))}")
    parts += [f"Note: {note}" for note in results["notes"]]
    return "\n\n".join(parts)
