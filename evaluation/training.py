"""Training the agents of a run, each from nothing, from demonstrations or from its checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.logger import Logger, make_output_format
from stable_baselines3.common.vec_env import VecMonitor
from tqdm import tqdm

from bundlegym.agents.base import Policy
from bundlegym.agents.callbacks import BundleMetrics
from bundlegym.agents.checkpoint import load_checkpoint, load_weights, save_checkpoint
from bundlegym.agents.imitation import Demonstrations, demonstrate, imitate, joined, replay
from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.agents.planner import Planner
from bundlegym.agents.registry import AGENTS
from bundlegym.data.lock import sole_user
from bundlegym.envs import BundleCore, BundleVecEnv
from bundlegym.envs.base import GAIN
from bundlegym.envs.side_by_side import SideBySide
from bundlegym.envs.views import to_numpy
from bundlegym.evaluation import transfer
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.parallel import Engine
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.rollout import estimate, play
from bundlegym.evaluation.run import Run
from bundlegym.evaluation.run_folder import resuming
from bundlegym.evaluation.table import example_offers
from bundlegym.terminal import remark
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

_EVAL_EPISODES = 1024
#: Example offers that TensorBoard shows.
_TOLD = 5
#: Seconds that a process waits for one that trained the same agent and is about to end: see `parallel`.
_PATIENCE = 90.0
#: Far from the seeds of training, as those of judging are.
_EVAL_SEED, _SHOWN_SEED = 3_000_017, 4_000_037


@one_thread()
def train(
    run: Run, job: Job, line: int = 0, on_evaluation: Callable[[int, float], None] = lambda *_: None
) -> None:
    """Train an agent and keep it; what its checkpoint holds already is not trained again.

    Args:
        line: of the progress bar, where several stand below each other.
        on_evaluation: called with the steps and the incremental margin a visit of each evaluation.
    """
    folder = run.checkpoint(job).parent
    folder.mkdir(exist_ok=True, parents=True)
    with sole_user(folder, _PATIENCE), interrupts_noted() as interrupted:
        try:
            _learn(run, job, line, interrupted, on_evaluation)
            if interrupted():
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            remark(f"\nto continue: {resuming(run.config)}")
            raise


def _validation(run: Run, job: Job) -> BundleCore:
    """Training shoppers in the validation weeks, with whom an agent is evaluated while it trains."""
    n, weeks = min(_EVAL_EPISODES, run.config.episodes), run.dataset.split.validation_weeks
    model = run.user_models[job.exposure]
    return run.core(n, held_out=False, weeks=weeks, seed=job.seed, user_model=model)


def _figures(core: BundleCore, model: Any) -> dict[str, float]:
    """Means of what an agent does with the shoppers of a core."""
    rows = estimate([play(core, learned(model), _EVAL_SEED)])
    return {name: row["mean"] for name, row in rows.items() if row["mean"] is not None}


def evaluated(run: Run, job: Job) -> float:
    """The incremental margin a visit of a trained agent, as it is evaluated while it trains."""
    return _figures(_validation(run, job), trained(run, job))[GAIN]


def _told(run: Run, job: Job, model: Any) -> str:
    """A few offers in words of an agent that is being trained: training shoppers, validation weeks."""
    weeks, reacts = run.dataset.split.validation_weeks, run.user_models[job.exposure]
    core = run.core(_TOLD, held_out=False, weeks=weeks, seed=0, user_model=reacts)
    pseudonym = Pseudonyms.of_run(run.folder)
    return example_offers(core, learned(model), run.dataset, _EVAL_SEED, pseudonym, _TOLD)


def _learn(
    run: Run,
    job: Job,
    line: int,
    interrupted: Callable[[], bool],
    on_evaluation: Callable[[int, float], None],
) -> None:
    """From the checkpoint that there is, or from nothing, to the last step."""
    config, checkpoint, steps = run.config, run.checkpoint(job), run.config.steps_of(job.agent)
    validation = cache(partial(_validation, run, job))  # not made for an agent that is trained already

    def evaluate(model: Any) -> dict[str, float]:
        figures = _figures(validation(), model)
        on_evaluation(model.num_timesteps, figures[GAIN])
        return figures

    hyper = {**dataclasses.asdict(job), "steps": steps, "n_envs": config.n_envs, "gamma": config.gamma}
    hyper |= {k: v for k, v in dataclasses.asdict(config.hyper.of(job.agent)).items() if k != "steps"}
    bar = partial(tqdm, desc=str(job), unit=" steps", position=line)
    told = partial(_told, run, job)
    metrics = BundleMetrics(hyper, evaluate, config.eval_every, checkpoint, bar, interrupted, told)
    model = new_agent(run, job, metrics.add, run.also)
    if checkpoint.exists():
        load_checkpoint(model, checkpoint)
    elif _imitates(run, job):
        shops = [
            replay(core, shown, config.gamma, job.seed) for shown, core in demonstrations(run, job, line)
        ]
        imitate(model, joined(shops), seed=job.seed)
    done = model.num_timesteps
    if done >= steps:
        return None if checkpoint.exists() else keep_as_it_begins(run, job, model)
    part = f"-{done}" if done else ""  # what is resumed goes on in files of its own, progress-STEPS.csv
    folder = str(checkpoint.parent)
    formats = [make_output_format(kind, folder, part) for kind in ("tensorboard", "csv")]
    model.set_logger(Logger(folder, formats))
    model.learn(steps - done, callback=metrics, reset_num_timesteps=False)


def new_agent(run: Run, job: Job, on_visits: Any = None, also: Sequence[Run] = ()) -> Any:
    """A fresh agent on the training shoppers and weeks of a run, and of further shops."""
    shops = [run, *also]
    views = [
        BundleVecEnv(_learning_core(shop, job, n), on_visits)
        for shop, n in zip(shops, shared_out(run.config.n_envs, len(shops)), strict=True)
    ]
    env = VecMonitor(views[0] if len(views) == 1 else SideBySide(views))
    hyper = run.config.hyper.of(job.agent)
    return AGENTS[job.agent](env, hyper, gamma=run.config.gamma, seed=job.seed, device=run.device)


def _learning_core(shop: Run, job: Job, n: int) -> BundleCore:
    """A simulator of n training shoppers of a shop in its training weeks."""
    return shop.core(
        n,
        held_out=False,
        weeks=shop.dataset.split.train_weeks,
        seed=job.seed,
        user_model=shop.user_models[job.exposure],
        reward_draws=shop.config.env.reward_draws,
    )


def shared_out(n: int, among: int) -> list[int]:
    """A number as the sum of so many whole numbers that differ by 1 at most, greater ones first."""
    return [n // among + (place < n % among) for place in range(among)]


def keep_as_it_begins(run: Run, job: Job, model: Any) -> None:
    """Keep an agent that has not learned from rewards of this run yet."""
    path = run.checkpoint(job)
    path.parent.mkdir(exist_ok=True, parents=True)
    model._last_obs = model.get_env().reset()
    save_checkpoint(model, path, finished=True)


def begin_as_source(run: Run) -> None:
    """Keep each agent that is not kept yet as that of the run which this one starts from, if it starts from
    one."""
    for job in run.jobs:
        if run.config.start_from is None or run.checkpoint(job).exists():
            continue
        source = run.source
        assert source is not None
        theirs = source.checkpoint(transfer.source_job(source.config, job))
        model = new_agent(run, job, also=run.also)
        transfer.put_weights(model, theirs, source.env, run.env)
        keep_as_it_begins(run, job, model)


def _imitates(run: Run, job: Job) -> int:
    """Visits of the planner that an agent begins with."""
    return run.config.hyper.of(job.agent).imitate


def prepare_demonstrations(run: Run, engine: Engine, least: int = 1) -> None:
    """Make those that agents of a run begin with, before processes would each make them.

    Args:
        least: agents that begin with the same; where there are fewer, they make them themselves.
    """
    wanted: dict[tuple[Path, ...], list[Job]] = {}
    for job in run.jobs:
        if _imitates(run, job) and not run.checkpoint(job).exists():
            wanted.setdefault(tuple(part.path for part in _shown(run, job)), []).append(job)
    missing = [
        jobs[0]
        for paths, jobs in wanted.items()
        if len(jobs) >= least and not all(path.exists() for path in paths)
    ]
    engine.run(demonstrate_to, run.place(), missing)


@one_thread()
def demonstrate_to(run: Run, job: Job, line: int) -> None:
    """Make the demonstrations that an agent begins with, if it does and they are missing."""
    if _imitates(run, job) and not run.checkpoint(job).exists():
        demonstrations(run, job, line)


class _Shown(NamedTuple):
    """Visits of the planner in one shop, and their file, which several agents may begin with."""

    shop: Run
    visits: int
    path: Path


def _shown(run: Run, job: Job) -> list[_Shown]:
    """An equal part of the visits that an agent begins with in each shop, the run's own first."""
    shops = [run, *run.also]
    visits = shared_out(max(_imitates(run, job), len(shops)), len(shops))
    names = [f"-shop-{place}" if place else "" for place in range(len(shops))]
    return [
        _Shown(shop, some, run.folder / f"demonstrations-{some}-exposure-{job.exposure:g}{name}.safetensors")
        for shop, some, name in zip(shops, visits, names, strict=True)
    ]


def demonstrations(run: Run, job: Job, line: int = 0) -> list[tuple[Demonstrations, BundleCore]]:
    """What the planner does with training shoppers of each shop, kept with the run, and a core to replay it
    in."""
    return [_demonstrated(part, job, line) for part in _shown(run, job)]


def _demonstrated(part: _Shown, job: Job, line: int) -> tuple[Demonstrations, BundleCore]:
    shop, visits, path = part
    model = shop.user_models[job.exposure]

    def core(**options: Any) -> BundleCore:
        n, weeks = -(-visits // shop.env.visits), shop.dataset.split.train_weeks
        return shop.core(n, held_out=False, weeks=weeks, seed=_SHOWN_SEED, user_model=model, **options)

    if not path.exists():
        about = f"the planner's visits, exposure {job.exposure:g}"
        bar = partial(tqdm, desc=about, unit=" visits", position=line)
        demonstrate(core(), Planner(model), bar).save(path)
    return Demonstrations.load(path), core(reward_draws=shop.env.reward_draws)


def learned(model: Any, forecaster: UserModel | None = None) -> Policy:
    """A trained Stable-Baselines3 model under the policies' contract; it acts without exploring.

    Args:
        forecaster: whose forecasts it sees, if it sees any, whoever reacts; None for those that the core
            shows.
    """
    if "forecasts" not in model.observation_space.spaces:
        forecaster = None

    def policy(core: BundleCore) -> torch.Tensor:
        if forecaster is not None:
            core.forecast_by(forecaster)
        actions, _ = model.predict(
            to_numpy(core.observe()), deterministic=True, action_masks=core.masks().cpu().numpy()
        )
        return torch.as_tensor(actions, dtype=torch.int64, device=core.device)

    return policy


def trained(run: Run, job: Job) -> Any:
    """The model of an agent as its checkpoint holds it: what is judged is what is kept.

    Raises:
        UserError: there is no readable checkpoint.
    """
    model = new_agent(run, job)
    load_weights(model, run.checkpoint(job))
    return model


def policy_of(run: Run, job: Job) -> Policy:
    """What an agent of a run does, by the forecasts of the model that it trained on.

    Raises:
        UserError: there is no readable checkpoint.
    """
    return learned(trained(run, job), run.user_models[job.exposure])
