"""The fits of a run as jobs side by side: whom agents train on, the judges, and refits on halves of the
shoppers."""

from __future__ import annotations

from bundlegym.evaluation import population
from bundlegym.evaluation.parallel import Engine
from bundlegym.evaluation.population import Fit
from bundlegym.evaluation.run import Run
from bundlegym.terminal import remark
from bundlegym.threads import one_thread


def fit(run: Run, engine: Engine, *, judges: bool) -> None:
    """Fit what agents learn from, and the judges where they are asked for, and keep all with the run."""
    _ = run.market, run.also  # what other shops lack is told before a long fit
    fits = population.missing(run.folder, run.config, run.dataset)
    engine.run(_fit_one, run.place(), [each for each in fits if judges or not each.judge])
    _ = [shop.user_models for shop in (run, *run.also)]  # jobs side by side then read what they are made of


@one_thread()
def _fit_one(run: Run, fit: Fit, line: int) -> None:
    if fit.judge:
        population.judge(run.folder, fit.family, run.config, run.dataset, run.device)
    else:
        population.trained_on(run.folder, run.config, run.dataset, run.device)


def refit(run: Run, refits: int, engine: Engine) -> None:
    """Fit what agents learn from on so many random halves of the shoppers, too, and keep all with the run.

    Raises:
        UserError: it is no family, or a half is too small for it.
    """
    engine.run(_refit_one, run.place(), population.missing_halves(run.folder, refits, run.config))


@one_thread()
def _refit_one(run: Run, half: int, line: int) -> None:
    remark(f"{run.config.user_model} on half {half + 1} of the shoppers")
    population.refitted(run.folder, half, run.config, run.dataset, run.device)
