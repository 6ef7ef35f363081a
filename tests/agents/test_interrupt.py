"""An interrupt while agents learn."""

from __future__ import annotations

import os
import signal

import pytest

from bundlegym.agents.interrupt import interrupts_noted
from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.envs import BundleCore
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.job import Job


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_noted_and_nothing_else_until_the_end(kind):
    before = signal.getsignal(kind)
    with interrupts_noted() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), kind)
        assert interrupted()
    assert signal.getsignal(kind) is before


@pytest.mark.parametrize("agent", ["ppo", "dqn"])
def test_interrupted_in_a_visit_an_agent_is_kept_and_goes_on(agent, tmp_path, monkeypatch):
    config = TrainConfig(
        agents=(agent,), steps=4096, n_envs=64, episodes=64, runs=tmp_path, name="run",
        data=DataConfig(log="synthetic", min_purchases=10), hyper=AgentConfigs(ppo=PPOConfig(imitate=0)),
    )  # fmt: skip
    experiment, respond, calls = Experiment(config), BundleCore._visit, []
    job = Job(agent, 0, 0.0)

    def interrupting(core, *given):
        calls.append(1)
        if len(calls) in (20, 21):  # the second comes while the first waits
            os.kill(os.getpid(), signal.SIGINT if len(calls) == 20 else signal.SIGTERM)
        return respond(core, *given)

    monkeypatch.setattr(BundleCore, "_visit", interrupting)
    with pytest.raises(KeyboardInterrupt):
        experiment.train(job)
    monkeypatch.undo()
    assert 0 < experiment.trained(job).num_timesteps < 4096
    experiment.train(job)
    assert experiment.trained(job).num_timesteps >= 4096
