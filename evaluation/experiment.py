"""A run from a log to a judged agent: prepare, fit, train, judge; each part is kept and can be resumed."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shlex
import sys
from collections.abc import Callable
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger, make_output_format
from stable_baselines3.common.vec_env import VecMonitor
from tqdm import tqdm

from bundlegym.agents.base import Policy
from bundlegym.agents.callbacks import BundleMetrics
from bundlegym.agents.checkpoint import load_checkpoint, load_weights
from bundlegym.agents.imitation import Demonstrations, demonstrate, imitate, replay
from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.agents.planner import Planner
from bundlegym.agents.registry import AGENTS
from bundlegym.data import Dataset, prepare
from bundlegym.data.config import default_cache_dir
from bundlegym.data.files import private_files, private_folder, write_json, write_text
from bundlegym.data.fingerprint import fingerprint
from bundlegym.data.lock import sole_user
from bundlegym.data.sealed import read_sealed_json, write_sealed_json
from bundlegym.devices import device_of
from bundlegym.envs import BundleCore, BundleVecEnv, Market, build_market, recommended
from bundlegym.envs.base import EMBEDDING_SIZE
from bundlegym.envs.observations import blocks_of
from bundlegym.envs.rewards import reward_of
from bundlegym.envs.views import to_numpy
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.baselines import Contender, heuristics, hindsight, oracle, planner
from bundlegym.evaluation.config import FINGERPRINT, TrainConfig, from_json, to_json
from bundlegym.evaluation.episodes import FILE as EPISODES
from bundlegym.evaluation.episodes import EpisodeLog
from bundlegym.evaluation.fidelity.report import as_json, as_text, compare
from bundlegym.evaluation.fidelity.samples import SAMPLES, write_samples
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.judging import Table, judge
from bundlegym.evaluation.parallel import train_in_parallel
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.rivals import rank_correlations
from bundlegym.evaluation.rollout import estimate, play
from bundlegym.evaluation.table import example_offers
from bundlegym.evaluation.verdict import verdicts
from bundlegym.evaluation.versions import versions
from bundlegym.recommenders import (
    Interactions,
    Recommender,
    check_installed,
    item_vectors,
    load_recommender,
    make_recommender,
)
from bundlegym.terminal import remark, show_what_it_can
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel
from bundlegym.user_models.registry import FAMILIES

#: The file that a run begins with.
CONFIG = "config.json"
_LEVEL_EPISODES, _EVAL_EPISODES = 1024, 1024
#: Seconds that a process waits for one that trained the same agent and is about to end: see `parallel`.
_PATIENCE = 90.0
#: Seeds of judging are far from those of training, so that no agent has met the same luck.
_JUDGE_SEED, _EVAL_SEED, _SHOWN_SEED = 1_000_003, 3_000_017, 4_000_037


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
        blocks_of(config.env.observation)
        #: The offers that agents may make.
        self.env, beyond = population.supported(config, self.dataset)
        #: What cannot be learned or judged, in sentences; known before any fit.
        self.limits = [*population.limits(config, self.dataset), *beyond]
        self._plugged = population.plugged(config, self.dataset, self.device, check=check)
        population.check_forecasts(self.env, config.user_model, self._plugged)
        if (self.folder / CONFIG).exists():
            self._check_log()
        else:
            self._begin()

    @private_files()
    def _begin(self) -> None:
        """Make the folder, with all that the run is begun with."""
        private_folder(self.folder)
        write_text(self.folder / "command.txt", shlex.join(sys.argv) + "\n")
        write_json(self.folder / "versions.json", versions())
        write_json(self.folder / "data_report.json", self.dataset.report)
        Pseudonyms.of_run(self.folder)
        begun = to_json(self.config) | {FINGERPRINT: fingerprint(self.dataset)}
        write_sealed_json(self.folder / CONFIG, begun)  # last: with it the run can be resumed

    def _check_log(self) -> None:
        """Raise a `UserError` where the log is not the one that the run was begun with."""
        if read_sealed_json(self.folder / CONFIG).get(FINGERPRINT) != fingerprint(self.dataset):
            raise UserError(
                f"{self.config.data.log}: this log, or a file or package that is read with it, has changed "
                f"since {self.folder} was made of it; put it back as it was, or train a run of another "
                "--name on the log as it is now"
            )

    @staticmethod
    def open(folder: Path, *, trust_code: bool = False, cache_dir: Path | None = None) -> Experiment:
        """An existing run; see `read_config`."""
        return Experiment(read_config(folder, trust_code=trust_code, cache_dir=cache_dir))

    def fit(self) -> None:
        """Fit what agents learn from, and keep it with the run: workers side by side then read it."""
        for part in ("user_models", "market"):
            getattr(self, part)

    @cached_property
    def user_models(self) -> dict[float, UserModel]:
        """Whom agents train on, under each assumption on what being offered does by itself."""
        config = self.config
        fitted = self._plugged or population.trained_on(self.folder, config, self.dataset, self.device)
        return {exposure: population.under(fitted, config, exposure) for exposure in config.exposures}

    @cached_property
    def market(self) -> Market:
        """What the shop itself knows."""
        source, vectors = self.config.candidates, self.config.embeddings
        return build_market(
            self.dataset,
            device=self.device,
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
        user_model: UserModel,
        reward_draws: int = 1,
    ) -> BundleCore:
        """A simulator of n held-out or training shoppers in some weeks, who react as `user_model` says."""
        shoppers = np.flatnonzero(self.dataset.split.held_out == held_out)
        env = dataclasses.replace(self.env, reward_draws=reward_draws)
        return BundleCore(self.market, user_model, env, n=n, shoppers=shoppers, weeks=weeks, seed=seed)

    def judging_core(self, n: int, user_model: UserModel) -> BundleCore:
        """A simulator of n held-out shoppers in the test weeks, as in the tables."""
        return self._test_core(n, user_model, seed=_JUDGE_SEED)

    def _test_core(self, n: int, user_model: UserModel, *, seed: int) -> BundleCore:
        weeks = self.dataset.split.test_weeks
        return self.core(n, held_out=True, weeks=weeks, seed=seed, user_model=user_model)

    @property
    def jobs(self) -> list[Job]:
        """The agents of the run."""
        config = self.config
        return [Job(*job) for job in itertools.product(config.agents, config.all_seeds, config.exposures)]

    @one_thread()
    @private_files()
    def run(self) -> dict[str, Any]:
        """Train what is not yet trained, judge everything, write and return the results.

        Raises:
            UserError: another command is at work on this run.
        """
        with sole_user(self.folder):
            return self._run()

    def _run(self) -> dict[str, Any]:
        config = self.config
        self.fit()
        self._tell_fidelity()
        jobs = self.jobs
        for job in jobs:
            if self._imitates(job):
                self._demonstrations(job)  # before processes would each make them
        workers = min(len(jobs), config.workers or (os.cpu_count() or 1 if self.device.type == "cpu" else 1))
        if workers > 1:
            train_in_parallel(train_one, config, jobs, workers)
        for job in jobs:
            self.train(job)
        results = self._judge()
        write_sealed_json(self.folder / "results.json", results, others=[self.folder / EPISODES])
        return results

    def _tell_fidelity(self) -> None:
        """How like shoppers the family trained on is, in the validation weeks, printed and kept once."""
        name, path = self.config.user_model, self.folder / "fidelity.json"
        if name not in FAMILIES or path.exists():
            return
        weeks = self.dataset.split.validation_weeks
        try:
            results = compare(
                name,
                self.user_models[self.config.exposures[0]],
                self.dataset,
                weeks,
                seed=self.config.seed,
                progress=lambda _: None,
            )
        except UserError as error:
            remark(f"fidelity: {error}")
            return
        content = as_json(name, self.dataset, results)
        remark(as_text(content, brief=True))
        write_samples(self.folder / SAMPLES, results["known"].samples)
        write_sealed_json(path, content, others=[self.folder / SAMPLES])

    def model(self, job: Job, on_visits: Any = None) -> Any:
        """A fresh agent on the training shoppers and weeks."""
        core = self.core(
            self.config.n_envs,
            held_out=False,
            weeks=self.dataset.split.train_weeks,
            seed=job.seed,
            user_model=self.user_models[job.exposure],
            reward_draws=self.config.env.reward_draws,
        )
        env = VecMonitor(BundleVecEnv(core, on_visits))
        hyper = self.config.hyper.of(job.agent)
        return AGENTS[job.agent](env, hyper, gamma=self.config.gamma, seed=job.seed, device=self.device)

    def _imitates(self, job: Job) -> int:
        """Visits of the planner that an agent begins with."""
        return self.config.hyper.of(job.agent).imitate

    def _demonstrations(self, job: Job) -> tuple[Demonstrations, BundleCore]:
        """What the planner does with training shoppers, kept with the run, and a core to replay it in."""
        visits, model = self._imitates(job), self.user_models[job.exposure]
        path = self.folder / f"demonstrations-{visits}-exposure-{job.exposure:g}.safetensors"

        def core(**options: Any) -> BundleCore:
            n, weeks = -(-visits // self.env.visits), self.dataset.split.train_weeks
            return self.core(n, held_out=False, weeks=weeks, seed=_SHOWN_SEED, user_model=model, **options)

        if not path.exists():
            bar = partial(tqdm, desc=f"the planner's visits, exposure {job.exposure:g}", unit=" visits")
            demonstrate(core(), Planner(model), bar).save(path)
        return Demonstrations.load(path), core(reward_draws=self.env.reward_draws)

    def checkpoint(self, job: Job) -> Path:
        """The file that an agent is kept in."""
        return self.folder / job.folder / "checkpoint.safetensors"

    def trained(self, job: Job) -> Any:
        """The model of an agent as its checkpoint holds it: what is judged is what is kept.

        Raises:
            UserError: there is no readable checkpoint.
        """
        model = self.model(job)
        load_weights(model, self.checkpoint(job))
        return model

    def policy(self, job: Job) -> Policy:
        """What an agent of the run does, by the forecasts of the model that it trained on.

        Raises:
            UserError: there is no readable checkpoint.
        """
        return learned(self.trained(job), self.user_models[job.exposure])

    def train(self, job: Job, line: int = 0) -> None:
        """Train an agent and keep it; what its checkpoint holds already is not trained again.

        Args:
            line: of the progress bar, where several stand below each other.
        """
        folder = self.checkpoint(job).parent
        folder.mkdir(exist_ok=True)
        with sole_user(folder, _PATIENCE), interrupts_noted() as interrupted:
            try:
                self._learn(job, line, interrupted)
                if interrupted():
                    raise KeyboardInterrupt
            except KeyboardInterrupt:
                remark(f"\nto continue: {resuming(self.config)}")
                raise

    def _learn(self, job: Job, line: int, interrupted: Callable[[], bool]) -> None:
        """From the checkpoint that there is, or from nothing, to the last step."""
        config, checkpoint, steps = self.config, self.checkpoint(job), self.config.steps_of(job.agent)
        episodes = min(_EVAL_EPISODES, config.episodes)

        @cache  # not made for an agent that is trained already
        def validation() -> BundleCore:
            weeks, model = self.dataset.split.validation_weeks, self.user_models[job.exposure]
            return self.core(episodes, held_out=False, weeks=weeks, seed=job.seed, user_model=model)

        def evaluate(model: Any) -> dict[str, float]:
            rows = estimate([play(validation(), learned(model), _EVAL_SEED)])
            return {name: row["mean"] for name, row in rows.items() if row["mean"] is not None}

        hyper = {**dataclasses.asdict(job), "steps": steps, "n_envs": config.n_envs, "gamma": config.gamma}
        hyper |= {k: v for k, v in dataclasses.asdict(config.hyper.of(job.agent)).items() if k != "steps"}
        bar = partial(tqdm, desc=str(job), unit=" steps", position=line)
        metrics = BundleMetrics(hyper, evaluate, config.eval_every, checkpoint, bar, interrupted)
        model = self.model(job, metrics.add)
        if checkpoint.exists():
            load_checkpoint(model, checkpoint)
        elif self._imitates(job):
            shown, core = self._demonstrations(job)
            imitate(model, replay(core, shown, config.gamma, job.seed), seed=job.seed)
        done = model.num_timesteps
        if done >= steps:
            return
        part = f"-{done}" if done else ""  # what is resumed goes on in files of its own, progress-STEPS.csv
        folder = str(checkpoint.parent)
        formats = [make_output_format(kind, folder, part) for kind in ("tensorboard", "csv")]
        model.set_logger(Logger(folder, formats))
        model.learn(steps - done, callback=metrics, reset_num_timesteps=False)

    def _judge(self) -> dict[str, Any]:
        config = self.config
        judges = {
            f"{family}, judge": population.judge(self.folder, family, config, self.dataset, self.device)
            for family in config.judges
            if not population.judge_lacks(family, self.dataset)
        }
        rows, judged, paired, ranks = [], [], [], []
        kept = EpisodeLog()
        for exposure, model in self.user_models.items():
            contenders = self._contenders(exposure)
            tables = {config.user_model: self._table(contenders, config.user_model, model, exposure, kept)}
            for name, fitted in judges.items():
                under = population.under(fitted, config, exposure)
                tables[name] = self._table(contenders, name, under, exposure, kept)
            rows += tables[config.user_model].rows
            for name, table in tables.items():
                judged += table.rows if name in judges else []
                paired += table.paired
            found = rank_correlations({name: table.rows for name, table in tables.items()})
            ranks += [{"offer_exposure": exposure, **each} for each in found]
        kept.write(self.folder, fingerprint(self.dataset), self.env.visits, config.bundle_pull)
        results = {
            "rows": rows,
            "judges": judged,
            "paired": paired,
            "rank_correlation": ranks,
            "seeds": config.seeds,
            "episodes": config.episodes,
            "log": self.dataset.name,
            "notes": [*self.dataset.notes, *self.limits, *population.assumed(config), *self._of_forecasts()],
        }
        return results | {"verdict": verdicts(results)}

    def _of_forecasts(self) -> list[str]:
        """What a reader of the tables must know of the agents' forecasts."""
        if "forecasts" not in self.env.observation:
            return []
        model = self.config.user_model
        return [
            f"the agents see forecasts of {model}, the model trained on; in the tables of that model they "
            "are partly oracles, and only the judges tell what they are worth"
        ]

    def _contenders(self, exposure: float) -> list[Contender]:
        """Who stands in the tables of an assumption: rules tuned under it, and the agents of all."""
        config = self.config
        tuning = self.core(
            min(_LEVEL_EPISODES, config.episodes),
            held_out=False,
            weeks=self.dataset.split.train_weeks,
            seed=0,
            user_model=self.user_models[exposure],
        )
        contenders = heuristics(tuning, {name: self.recommender(name) for name in config.greedy})
        for agent, trained_under in itertools.product(config.agents, config.exposures):
            name = agent if trained_under == exposure else f"{agent}, trained at exposure {trained_under:g}"
            jobs = [Job(agent, seed, trained_under) for seed in config.all_seeds]
            contenders.append(Contender(name, "learned", [self.policy(job) for job in jobs]))
        if config.planner_episodes:
            contenders.append(planner(self.user_models[exposure]))
        if config.hindsight_episodes:
            contenders.append(hindsight())
        return contenders

    def _table(
        self,
        contenders: list[Contender],
        name: str,
        user_model: UserModel,
        exposure: float,
        kept: EpisodeLog,
    ) -> Table:
        """A row a contender: its figures with held-out shoppers in test weeks, as `user_model` sees them;
        its episodes go into `kept`."""
        config, trained_on = self.config, self.user_models[exposure]
        fewer = {"hindsight": config.hindsight_episodes} | dict.fromkeys(
            ("planner", "oracle"), config.planner_episodes
        )
        if config.planner_episodes and user_model is not trained_on:
            contenders = [*contenders, oracle(user_model)]
        table = judge(
            contenders,
            lambda n, rival: self._test_core(n, user_model, seed=0),
            lambda kind: fewer.get(kind, config.episodes),
            name=name,
            exposure=exposure,
            seed=_JUDGE_SEED,
            kept=kept,
        )
        if user_model is trained_on:  # the planner is the oracle here
            for i, row in enumerate(table.rows):
                if row["kind"] == "planner":
                    table.rows.insert(i + 1, row | {"policy": "oracle", "kind": "oracle"})
        return table

    def recommender(self, name: str) -> Recommender:
        """A recommender fitted on the training weeks of shoppers who are not held out, kept with the run."""
        folder = self.folder / "recommenders" / name
        if (folder / "recommender.json").exists():
            return load_recommender(folder)
        remark(f"recommender {name}: fitting")
        model = make_recommender(name).fit(
            Interactions.from_dataset(self.dataset, self.dataset.split.train_weeks)
        )
        model.save(folder)
        return load_recommender(folder)

    def examples(self, count: int = 5) -> str:
        """Example offers of the first trained agent, in words, under each assumption."""
        told, pseudonym = [], Pseudonyms.of_run(self.folder)
        for exposure, model in self.user_models.items():
            job = Job(self.config.agents[0], self.config.seed, exposure)
            weeks = self.dataset.split.test_weeks
            core = self.core(count, held_out=True, weeks=weeks, seed=0, user_model=model)
            offers = example_offers(core, self.policy(job), self.dataset, _JUDGE_SEED, pseudonym, count)
            told.append(f"{job}:\n{offers}")
        return "\n".join(told)


@one_thread()
def train_one(config: TrainConfig, job: Job, line: int) -> None:
    """Train one agent of an existing run, in a process of its own; the first process has checked all."""
    show_what_it_can()
    Experiment(config, check=False).train(job, line)


def learned(model: Any, forecaster: UserModel | None = None) -> Policy:
    """A trained Stable-Baselines3 model under the policies' contract; it acts without exploring.

    Args:
        forecaster: whose forecasts it sees, whoever reacts; None for those that the core shows.
    """

    def policy(core: BundleCore) -> torch.Tensor:
        if forecaster is not None:
            core.forecast_by(forecaster)
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
    path = folder / CONFIG
    try:
        config = from_json(read_sealed_json(path), folder, cache_dir)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder}: not the folder of a run, no readable {CONFIG} ({error}); it must be as train.py "
            "wrote it, by this version"
        ) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
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
