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
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import write_json
from bundlegym.devices import device_of
from bundlegym.envs import BundleCore, BundleVecEnv, Market, build_market, recommended
from bundlegym.envs.base import EMBEDDING_SIZE
from bundlegym.envs.custom import blocks_of, reward_of
from bundlegym.envs.views import to_numpy
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.config import TrainConfig, from_json, to_json
from bundlegym.evaluation.judge import check_figures, estimate, play
from bundlegym.evaluation.rivals import Contender, heuristics, oracle
from bundlegym.evaluation.side_by_side import train_side_by_side
from bundlegym.evaluation.table import MARGIN_LEGEND, example_offers, format_table
from bundlegym.recommenders import (
    Interactions,
    Recommender,
    check_installed,
    item_vectors,
    load_recommender,
    make_recommender,
)
from bundlegym.terminal import show_what_it_can
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel
from bundlegym.user_models.build import FAMILIES
from bundlegym.user_models.fidelity.report import as_json, as_text, compare

_MAKERS: dict[str, Any] = {"ppo": make_ppo, "dqn": make_dqn}
_LEVEL_EPISODES, _EVAL_EPISODES = 1024, 1024
#: Seeds of judging are far from those of training, so that no agent has met the same luck.
_JUDGE_SEED, _EVAL_SEED = 1_000_003, 3_000_017


class Experiment:
    """Data, shoppers and market of one run folder; `run` does all of it.

    Args:
        check: that shoppers of the user's own keep the contract of a user model.
    """

    def __init__(self, config: TrainConfig, *, check: bool = True) -> None:
        self.config, self.folder = config, config.folder
        self.device = device_of(config.device, "--device")
        self.dataset: Dataset = prepare(config.data)
        # Before the folder is made: a wrong class or a missing extra leaves none behind.
        for name in filter(None, (config.candidates, config.embeddings, *config.greedy)):
            check_installed(name)
        reward_of(config.env.reward)
        blocks_of(config.env, None)
        #: What cannot be learned or judged, in sentences; known before any fit.
        self.limits = population.limits(config, self.dataset)
        plugged = population.plugged(config, self.dataset, self.device, check=check)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "config.json").exists():
            write_json(self.folder / "config.json", to_json(config))
            (self.folder / "command.txt").write_text(shlex.join(sys.argv) + "\n", encoding="utf-8")
        write_json(self.folder / "data_report.json", self.dataset.report)
        self.user_model: UserModel = plugged or population.trained_on(
            self.folder, config, self.dataset, self.device
        )
        self.market: Market = self._market()

    @staticmethod
    def open(folder: Path, *, trust_code: bool = False, cache_dir: Path | None = None) -> Experiment:
        """An existing run; see `read_config`."""
        return Experiment(read_config(folder, trust_code=trust_code, cache_dir=cache_dir))

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

    @one_thread()
    def run(self) -> dict[str, Any]:
        """Train what is not yet trained, judge everything, write and return the results."""
        config = self.config
        self._tell_fidelity()
        seeds = range(config.seed, config.seed + config.seeds)
        jobs = [(agent, seed) for agent in config.agents for seed in seeds]
        workers = min(len(jobs), config.workers or (os.cpu_count() or 1 if self.device.type == "cpu" else 1))
        if workers > 1:
            train_side_by_side(train_one, config, jobs, workers)
        for agent, seed in jobs:
            self.train(agent, seed)
        agents = {agent: [learned(self.trained(agent, seed)) for seed in seeds] for agent in config.agents}
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

    def checkpoint(self, agent: str, seed: int) -> Path:
        """The file that an agent is kept in."""
        return self.folder / f"{agent}-{seed}" / "checkpoint.safetensors"

    def trained(self, agent: str, seed: int) -> Any:
        """The model of an agent as its checkpoint holds it: what is judged is what is kept.

        Raises:
            UserError: there is no readable checkpoint.
        """
        model = self.model(agent, seed)
        load_checkpoint(model, self.checkpoint(agent, seed))
        return model

    def train(self, agent: str, seed: int, line: int = 0) -> None:
        """Train an agent and keep it; what its checkpoint holds already is not trained again.

        Args:
            line: of the progress bar, where several stand below each other.
        """
        config, checkpoint, steps = self.config, self.checkpoint(agent, seed), self.config.steps_of(agent)
        folder = checkpoint.parent
        folder.mkdir(exist_ok=True)
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
            return
        part = f"-{done}" if done else ""  # what is resumed goes on in a file of its own, progress-STEPS.csv
        formats = [make_output_format(kind, str(folder), part) for kind in ("tensorboard", "csv")]
        model.set_logger(Logger(str(folder), formats))
        with interrupts_noted() as interrupted:
            model.learn(steps - done, callback=[metrics, StopOn(interrupted)], reset_num_timesteps=False)
        if interrupted():
            print(f"\nto continue: {resuming(config)}", file=sys.stderr)
            raise KeyboardInterrupt

    def _judge(self, agents: dict[str, list[Policy]]) -> dict[str, Any]:
        config, split = self.config, self.dataset.split
        episodes = min(_LEVEL_EPISODES, config.episodes)
        tuning = self.core(episodes, held_out=False, weeks=split.train_weeks, seed=0)
        contenders = heuristics(tuning, {name: self.recommender(name) for name in config.greedy})
        contenders += [Contender(name, "learned", policies) for name, policies in agents.items()]
        if config.oracle_episodes:
            contenders.append(oracle())
        judges = {
            f"{family}, judge": population.judge(self.folder, family, config, self.dataset, self.device)
            for family in config.judges
            if not population.judge_lacks(family, self.dataset)
        }
        return {
            "rows": self._table(contenders, config.user_model, self.user_model),
            "judges": [row for name, model in judges.items() for row in self._table(contenders, name, model)],
            "seeds": config.seeds,
            "episodes": config.episodes,
            "log": self.dataset.name,
            "notes": [*self.dataset.notes, *self.limits],
        }

    def _table(self, contenders: list[Contender], name: str, user_model: UserModel) -> list[dict[str, Any]]:
        """A row a contender: its figures with held-out shoppers in test weeks, as `user_model` sees them."""
        rows = []
        for rival in tqdm(contenders, desc=f"held-out shoppers and weeks ({name})"):
            n = self.config.oracle_episodes if rival.kind == "oracle" else self.config.episodes
            weeks = self.dataset.split.test_weeks
            core = self.core(n, held_out=True, weeks=weeks, seed=0, judge=user_model)
            figures = estimate([play(core, policy, _JUDGE_SEED) for policy in rival.policies])
            check_figures(f"policy {rival.name} judged by user model {name}", figures)
            who = {"policy": rival.name, "kind": rival.kind, "user_model": name, "episodes": n}
            rows.append(who | figures)
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
        return load_recommender(folder)

    def examples(self, count: int = 5) -> str:
        """Example offers of the first trained agent, in words."""
        policy = learned(self.trained(self.config.agents[0], self.config.seed))
        core = self.core(count, held_out=True, weeks=self.dataset.split.test_weeks, seed=0)
        return example_offers(core, policy, self.dataset, _JUDGE_SEED, count)


@one_thread()
def train_one(config: TrainConfig, agent: str, seed: int, line: int) -> None:
    """Train one agent of an existing run, in a process of its own; the first process has checked all."""
    show_what_it_can()
    Experiment(config, check=False).train(agent, seed, line)


def learned(model: Any) -> Policy:
    """A trained Stable-Baselines3 model under the policies' contract; it acts without exploring."""

    def policy(core: BundleCore) -> torch.Tensor:
        actions, _ = model.predict(
            to_numpy(core.observe()), deterministic=True, action_masks=core.masks().cpu().numpy()
        )
        return torch.as_tensor(actions, dtype=torch.int64, device=core.device)

    return policy


def read_config(folder: Path, *, trust_code: bool = False, cache_dir: Path | None = None) -> TrainConfig:
    """The configuration of an existing run; the run is where it is now, wherever it was made.

    Anybody may have made it: its code is imported only where the caller says so, and prepared logs are kept
    in the caller's own cache.

    Args:
        trust_code: the modules that the run names may be imported.
        cache_dir: where prepared logs are kept; by default where `DataConfig` keeps them.

    Raises:
        UserError: the folder holds no readable config.json, or names code that is not trusted.
    """
    path = folder / "config.json"
    try:
        config = from_json(json.loads(path.read_text(encoding="utf-8")), folder, cache_dir)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder}: not the folder of a run, no readable config.json ({error})") from error
    if config.code and not trust_code:
        raise UserError(
            f"{folder}: this run imports {', '.join(config.code)}; add --trust-code if you trust that code"
        )
    return config


def resuming(config: TrainConfig) -> str:
    """The command that goes on with a run."""
    command = ["python", "train.py", "--resume", str(config.folder)]
    if config.code:
        command.append("--trust-code")
    if config.data.cache_dir != default_cache_dir():
        command += ["--cache-dir", str(config.data.cache_dir)]
    return shlex.join(command)


def summary(results: dict[str, Any]) -> str:
    """The tables, one a user model, with what they rest on."""
    size = f"{results['episodes']} episodes, {results['seeds']} seed(s)"
    parts = [f"{results['log']}: held-out shoppers and test weeks, {size}; 95 % intervals"]
    trained_on = results["rows"][0]["user_model"]
    parts.append(f"Shoppers: {trained_on}, the model trained on\n\n{format_table(results['rows'])}")
    for name, rows in itertools.groupby(results["judges"], lambda row: row["user_model"]):
        parts.append(f"Shoppers: {name}, fitted on held-out shoppers\n\n{format_table(list(rows))}")
    parts.append(MARGIN_LEGEND)
    parts += [f"Note: {note}" for note in results["notes"]]
    return "\n\n".join(parts)
