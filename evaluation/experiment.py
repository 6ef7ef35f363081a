"""A run from a log to a judged agent: prepare, fit, train, judge; each part is kept and can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bundlegym.agents.base import Policy
from bundlegym.data.files import private_files
from bundlegym.data.lock import sole_user
from bundlegym.data.sealed import write_sealed_json
from bundlegym.errors import UserError
from bundlegym.evaluation.episodes import FILE as EPISODES
from bundlegym.evaluation.fidelity.report import as_json, as_text, compare
from bundlegym.evaluation.fidelity.samples import SAMPLES, write_samples
from bundlegym.evaluation.fitting import fit
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.parallel import Engine, Processes
from bundlegym.evaluation.pseudonyms import Pseudonyms
from bundlegym.evaluation.run import JUDGE_SEED, Run
from bundlegym.evaluation.run_folder import read_config
from bundlegym.evaluation.run_tables import (
    Outcome,
    Turn,
    results_of,
    take_turn,
    turns_of_agents,
    turns_of_rivals,
)
from bundlegym.evaluation.table import example_offers
from bundlegym.evaluation.training import (
    begin_as_source,
    demonstrate_to,
    policy_of,
    prepare_demonstrations,
    train,
    trained,
)
from bundlegym.terminal import remark
from bundlegym.threads import one_thread
from bundlegym.user_models.registry import FAMILIES

#: The job of `tell_fidelity`.
_FIDELITY = "fidelity"


class Experiment(Run):
    """A run, and all that is done in it: `run` does it from end to end."""

    @staticmethod
    def open(folder: Path, *, trust_code: bool = False, cache_dir: Path | None = None) -> Experiment:
        """An existing run; see `read_config`."""
        return Experiment(read_config(folder, trust_code=trust_code, cache_dir=cache_dir))

    @one_thread()
    @private_files()
    def run(self, engine: Engine | None = None) -> dict[str, Any]:
        """Train what is not yet trained, judge everything, write and return the results.

        Args:
            engine: who fits user models and trains agents; by default processes of this machine, as many at
                once as `TrainConfig.workers` says.

        Raises:
            UserError: another command is at work on this run.
        """
        with sole_user(self.folder):
            return self._run(engine or Processes(self.at_once))

    def _run(self, engine: Engine) -> dict[str, Any]:
        fit(self, engine, judges=True)
        begin_as_source(self)
        Pseudonyms.of_run(self.folder)  # their key is drawn before processes would each draw one
        for name in self.config.greedy:
            self.recommender(name)  # and these are fitted
        prepare_demonstrations(self, engine, least=2)
        rivals, agents, place = turns_of_rivals(self), turns_of_agents(self), self.place()
        # Rivals play beside those who still learn, and after them, so that no core waits.
        done = engine.run(_do, place, [_FIDELITY, *self.jobs, *rivals])
        outcomes = dict(zip(rivals, done[1 + len(self.jobs) :], strict=True))
        outcomes |= zip(agents, engine.run(take_turn, place, agents), strict=True)
        results = results_of(self, outcomes)
        write_sealed_json(self.folder / "results.json", results, others=[self.folder / EPISODES])
        return results

    def tell_fidelity(self) -> None:
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
        remark(f"\n{as_text(content, brief=True)}")  # below the bars of other processes
        write_samples(self.folder / SAMPLES, results["known"].samples)
        write_sealed_json(path, content, others=[self.folder / SAMPLES])

    def train(self, job: Job) -> None:
        """Train an agent and keep it; what its checkpoint holds already is not trained again."""
        train(self, job)

    def trained(self, job: Job) -> Any:
        """As `training.trained`."""
        return trained(self, job)

    def policy(self, job: Job) -> Policy:
        """As `training.policy_of`."""
        return policy_of(self, job)

    def examples(self, count: int = 5) -> str:
        """Example offers of the first trained agent, in words, under each assumption."""
        told, pseudonym = ["Example offers, shoppers under pseudonyms:"], Pseudonyms.of_run(self.folder)
        for exposure, model in self.user_models.items():
            job = Job(self.config.agents[0], self.config.seed, exposure)
            weeks = self.dataset.split.test_weeks
            core = self.core(count, held_out=True, weeks=weeks, seed=0, user_model=model)
            offers = example_offers(core, self.policy(job), self.dataset, JUDGE_SEED, pseudonym, count)
            told.append(f"{job}:\n{offers}")
        return "\n".join(told)


@one_thread()
def _do(run: Experiment, job: str | Job | Turn, line: int) -> Outcome | None:
    """Tell fidelity, train an agent, or let rivals take their turn."""
    if isinstance(job, Turn):
        return take_turn(run, job, line)
    if isinstance(job, Job):
        demonstrate_to(run, job, line)  # which an interrupt may cut short
        train(run, job, line)
    else:
        run.tell_fidelity()
    return None
