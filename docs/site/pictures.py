"""The pictures of README, as SVG on a ground of their own, so that they are read on light and on dark pages.

python docs/site/pictures.py visit              # docs/pictures/visit.svg
python docs/site/pictures.py learning runs/NAME # docs/pictures/learning.svg, from a run's curves
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bundlegym.agents.base import Policy
from bundlegym.agents.optimum import Optimum
from bundlegym.agents.ppo import PPOConfig, make_ppo
from bundlegym.envs import BundleCore, BundleVecEnv, make_core
from bundlegym.evaluation import baselines
from bundlegym.evaluation.chart import BLUE, GREEN, GREY, GROUND, INK, ORANGE, STYLE, svg_of
from bundlegym.evaluation.rollout import play
from bundlegym.evaluation.training import learned

FOLDER = Path(__file__).resolve().parents[1] / "pictures"
SHOPPERS = "bundlegym.user_models.planted:PlantedShopper"
EPISODES, STEPS, SEEDS = 512, 150_000, (0, 1, 2)
TAKEN = "takes the bundle for 4.50"
NOTE = "Judges repeat it with shoppers on whom no agent trained. (Example; unit costs are 60 % of prices.)"


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", choices=("visit", "learning"))
    options = parser.parse_args()
    drawn = visit() if options.picture == "visit" else learning()
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{options.picture}.svg"
    path.write_text(drawn, encoding="utf-8")
    print(path)


def visit() -> str:
    """A visit of a shopper with an offer, and of the twin without: an example."""
    parts = [
        card(
            16, 118, 168, "Shopper", ["fitted to the log:", "tastes, prices, habits,", "what is at home"], INK
        ),
        arrow(184, 130, 224, 92),
        arrow(184, 210, 224, 252),
        card(226, 34, 196, "Offer", ["pasta 2.00", "tomato sauce 3.00", "both together 10 % off"], BLUE),
        arrow(422, 92, 460, 92),
        card(462, 34, 222, "Reaction", [TAKEN, "buys bread 2.00 as always", "margin 2.30"], ORANGE),
        card(226, 196, 196, "The twin: no offer", ["the same shopper,", "visit and luck"], GREY),
        arrow(422, 252, 460, 252),
        card(462, 196, 222, "Bought anyway", ["pasta 2.00", "bread 2.00", "margin 1.60"], GREY),
        arrow(684, 92, 724, 140),
        arrow(684, 252, 724, 204),
        card(726, 118, 178, "Gain", ["2.30 - 1.60 = 0.70", "incremental margin", "of this visit"], GREEN),
        text(226, 22, "An agent picks the items and the discount.", GREY, 13),
        text(226, 336, NOTE, GREY, 13),
    ]
    return svg(
        920, 352, parts, "A shopper is made an offer; a twin is not. The difference in margin is the gain."
    )


def card(x: float, y: float, width: float, head: str, lines: list[str], colour: str) -> str:
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="112" rx="8" fill="#fff" '
    rows = "".join(text(x + 12, y + 50 + 20 * n, line, INK, 14) for n, line in enumerate(lines))
    return (
        frame
        + f'stroke="{colour}" stroke-width="2"/>'
        + text(x + 12, y + 26, head, colour, 16, "bold")
        + rows
    )


def text(x: float, y: float, words: str, colour: str, size: int, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}" font-weight="{weight}">{words}</text>'


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<line x1="{x + 4}" y1="{y}" x2="{to_x - 4}" y2="{to_y}" stroke="{GREY}" stroke-width="2" '
        'marker-end="url(#head)"/>'
    )


def svg(width: int, height: int, parts: list[str], about: str) -> str:
    head = (
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
        f'<path d="M0,0 L6,3 L0,6 z" fill="{GREY}"/></marker></defs>'
    )
    ground = f'<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>'
    inside = "\n".join([f"<title>{about}</title>", head, ground, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="system-ui, sans-serif">\n{inside}\n</svg>\n'
    )


def learning() -> str:
    """PPO from a random start on `KnownOptimum-v0`, three seeds, beside what can be earned there at most."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    core = make_core(EPISODES, preset="known-optimum", user_model=SHOPPERS)
    rules = baselines.heuristics(make_core(EPISODES, preset="known-optimum", user_model=SHOPPERS), {})[1:]
    lines = {
        "best possible": gain(core, Optimum(core.user_model, core.market, core.config)),
        "best rule": max(gain(core, rule.policies[0]) for rule in rules),
        "offer nothing": 0.0,
    }
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(8.75, 3.3), facecolor=GROUND, layout="constrained")
        axis.set_facecolor(GROUND)
        for name, height in lines.items():
            print(f"{name}: {height:.3f}")
            axis.axhline(height, color=GREY, linewidth=1, linestyle="--")
            axis.text(STEPS, height + 0.01, name, color=GREY, ha="right")
        for seed in SEEDS:
            steps, gains = curve(core, seed)
            print(f"PPO, seed {seed}: {', '.join(f'{each:.3f}' for each in gains)}")
            axis.plot(
                steps, gains, "o-", color=BLUE, markersize=3, label=None if seed else "PPO, three seeds"
            )
        axis.set_xlabel("steps of training")
        axis.set_ylabel("gain a visit")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.12))
        drawn = svg_of(figure)
        plt.close(figure)
    return drawn


def gain(core: BundleCore, policy: Policy) -> float:
    """Incremental margin a visit, in the same episodes for each policy."""
    money, visits = play(core, policy, seed=11)["incremental_margin_per_visit"].sum(0)
    return float(money / visits)


def curve(core: BundleCore, seed: int) -> tuple[list[int], list[float]]:
    """Steps, and what the agent then earns."""
    from stable_baselines3.common.callbacks import BaseCallback

    steps: list[int] = []
    gains: list[float] = []

    class Look(BaseCallback):
        def _on_rollout_start(self) -> None:
            steps.append(self.num_timesteps)
            gains.append(gain(core, learned(self.model)))

        def _on_step(self) -> bool:
            return True

    shop = make_core(256, preset="known-optimum", user_model=SHOPPERS, reward_draws=16)
    shop.reseed(seed)
    config = PPOConfig(imitate=0, steps=STEPS, learning_rate=1e-3, final_learning_rate=1e-4, ent_coef=0.005)
    agent = make_ppo(BundleVecEnv(shop), config, gamma=0.95, seed=seed)
    agent.learn(STEPS, callback=Look())
    return steps, gains


if __name__ == "__main__":
    main()
