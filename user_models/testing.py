"""The contract of user models as a test that is shipped: for a pytest of your own, and as a command.

    python -m bundlegym.user_models.testing my_shoppers:Regular least_discount=0.1

says in plain words what is wrong with a class. In a test: `assert problems(model, dataset) == []`.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import DataConfig, Dataset, prepare, synthetic_dataset
from bundlegym.data.checked import Range, check
from bundlegym.errors import UserError
from bundlegym.options import Parser
from bundlegym.plugins import said_of
from bundlegym.terminal import say, show_what_it_can, shown
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response, State, UserModel
from bundlegym.user_models.offer_properties import offer_problems
from bundlegym.user_models.registry import build_user_model, parse_arguments
from bundlegym.user_models.response_checks import out_of_range, wrong_shapes
from bundlegym.user_models.rng.counter import Draws
from bundlegym.user_models.single import PlainShoppers

_SHOPPERS, _BUNDLE = 24, 3
#: Seconds for a visit of all shoppers, some of whom ask a language model.
_PATIENCE = 600.0
#: Seconds after which a visit that caught its being stopped is stopped again.
_AGAIN = 0.05
_Patience = Annotated[float, Range("above 0 and at most a day, 86400", above=0.0, most=86_400.0)]


class _World:
    """A model, and N shoppers at the door with an offer each; `respond` is a visit of them or of some."""

    def __init__(self, model: UserModel, dataset: Dataset, patience: float) -> None:
        self.model, self.dataset, self.patience, n = model, dataset, patience, _SHOPPERS
        rng = np.random.default_rng(0)
        device = model.device
        self.shopper = torch.arange(n, device=device) % dataset.n_shoppers
        first, end = dataset.split.train_weeks
        self.day = torch.full((n,), 7 * ((first + end) // 2), device=device)
        favourites = dataset.purchases["item"].value_counts().index.to_numpy()[:20]
        bundles = np.stack([rng.choice(favourites, _BUNDLE, replace=False) for _ in range(n)])
        self.items = torch.from_numpy(bundles.astype(np.int64)).to(device)
        self.draws = Draws(
            0, torch.arange(n, device=device), torch.zeros(n, dtype=torch.int64, device=device)
        )

    def state(self) -> State:
        with _at_most(self.patience, "reset"):
            return self.model.reset(self.shopper, self.day)

    def offer(self, discount: float) -> Offer:
        return Offer(self.items, torch.full((len(self.items),), discount, device=self.model.device))

    def respond(self, discount: float, rows: Tensor | None = None) -> tuple[Response, State]:
        state, offer, d = self.state(), self.offer(discount), self.draws
        if rows is not None:
            state = {name: value[rows] for name, value in state.items()}
            offer = Offer(offer.items[rows], offer.discount[rows])
            d = Draws(d.seed, d.episode[rows], d.visit[rows])
        return self.play(state, offer, d)

    def play(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        with _at_most(self.patience, "respond"):
            return self.model.respond(state, offer, draws)


def problems(model: UserModel, dataset: Dataset, patience: float = _PATIENCE) -> list[str]:
    """What is wrong with a user model, in plain words; empty where it keeps the contract.

    A check that cannot go on (the model raises an error) is a problem too, and so is not followed by others.

    Args:
        patience: seconds for one visit of 24 shoppers, beyond which it is taken for one without an end; only
            where Python can interrupt it: in the main thread, on other systems than Windows.
    """
    world, found = _World(model, dataset, patience), []
    checks = (_state, _shapes, _sense, _offers, _nothing, _purity, _luck, _neighbours, _later, _discount)
    for look in checks:
        try:
            found += list(look(world))
        except (UserError, _TooLong) as error:
            return [*found, shown(error)]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # `sys.exit` too
            return [*found, said_of(error)]
        if found and look in (_state, _shapes):  # what follows would only repeat it
            break
    return found


def _state(world: _World) -> Iterator[str]:
    state = world.state()
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        yield f"reset must give a dict of tensors; it gave {type(state).__name__}"
        return
    for name, value in state.items():
        if value.ndim == 0 or len(value) != _SHOPPERS:
            yield (
                f"reset: state {name!r} has shape {tuple(value.shape)}; for {_SHOPPERS} shoppers its first "
                f"dimension must be {_SHOPPERS}"
            )
        if value.requires_grad:
            yield f"reset: state {name!r} requires gradients; give {name}.detach()"


def _shapes(world: _World) -> Iterator[str]:
    answer = world.respond(0.2)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], Response)):
        yield "respond must give a pair: a Response, and the state at the door of the next visit"
        return
    response, after = answer
    yield from wrong_shapes(response, _SHOPPERS)
    before = world.state()
    if after.keys() != before.keys():
        yield f"respond: the next state holds {sorted(after)}; reset gave {sorted(before)}"
        return
    for name, value in after.items():
        if value.shape != before[name].shape or value.dtype != before[name].dtype:
            yield (
                f"respond: state {name!r} becomes {tuple(value.shape)} of {value.dtype}; reset gave "
                f"{tuple(before[name].shape)} of {before[name].dtype}"
            )


def _sense(world: _World) -> Iterator[str]:
    response, _ = world.respond(0.2)
    yield from out_of_range(response, _SHOPPERS, world.dataset.n_items)


def _offers(world: _World) -> Iterator[str]:
    """Who takes holds all of it for less than at the shelf; who ignores holds none of it."""
    shelf = torch.from_numpy(world.dataset.shelf_price.T.copy())[int(world.day[0]) // 7]
    for discount in (0.2, 0.9):
        response, _ = world.respond(discount)
        for n in range(_SHOPPERS):
            mine = response.row == n
            price = dict(zip(response.item[mine].tolist(), response.price[mine].tolist(), strict=True))
            units = dict(zip(response.item[mine].tolist(), response.quantity[mine].tolist(), strict=True))
            offered = world.items[n].tolist()
            held = [item for item in offered if item in price]
            if response.choice[n] == TAKE and len(held) < len(offered):
                yield f"respond: a shopper took the bundle {offered} whole but the basket holds only {held}"
                return
            full = [i for i in held if price[i] > float(shelf[i]) * (1 - discount / max(units[i], 1)) * 1.001]
            if response.choice[n] == TAKE and full:
                yield (
                    f"respond: a shopper took a bundle at {discount:.0%} off but paid {price[full[0]]:.2f} "
                    f"for item {full[0]} of shelf price {float(shelf[full[0]]):.2f}; one unit of each item "
                    "goes at the discount"
                )
                return
            if response.choice[n] == IGNORE and held:
                yield f"respond: a shopper ignored the bundle {offered} but bought {held}; that is choice 1"
                return
            if response.choice[n] == CHERRY_PICK and not held:
                yield f"respond: a shopper cherry-picked from {offered} but bought none; that is choice 0"
                return


def _nothing(world: _World) -> Iterator[str]:
    nothing = Offer.nothing(_SHOPPERS, _BUNDLE, world.model.device)
    response, _ = world.play(world.state(), nothing, world.draws)
    if bool((response.choice != IGNORE).any()):
        yield "respond: with nothing offered, choice must be 0; the twin of every shopper is offered nothing"


def _purity(world: _World) -> Iterator[str]:
    state = world.state()
    before = {name: value.clone() for name, value in state.items()}
    world.play(state, world.offer(0.2), world.draws)
    for name, value in before.items():
        if not torch.equal(value, state[name]):
            yield f"respond changes the state {name!r} that it is given; give a new one back instead"


def _luck(world: _World) -> Iterator[str]:
    """The same draws give the same answer, whatever the global generators are at."""
    answers = []
    old = torch.get_rng_state(), np.random.get_state()
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        answers.append(world.respond(0.2))
    np.random.seed(1)
    untouched = np.random.random(), torch.rand(1, generator=torch.Generator().manual_seed(1))
    np.random.seed(1)
    torch.manual_seed(1)
    world.respond(0.2)
    if np.random.random() != untouched[0] or torch.rand(1) != untouched[1]:
        yield "respond draws from the global generators of numpy or torch; use the draws (luck) given"
    torch.set_rng_state(old[0])
    np.random.set_state(old[1])
    if not _same(answers[0], answers[1]):
        yield (
            "respond answers the same visit differently the second time; all luck must come from the draws "
            "(luck) given, and nothing may be remembered outside the state"
        )


def _neighbours(world: _World) -> Iterator[str]:
    together, _ = world.respond(0.2)
    for n in (0, _SHOPPERS - 1):
        alone, _ = world.respond(0.2, torch.tensor([n], device=world.model.device))
        if not _same(alone, together.part(n, n + 1)):
            yield "respond answers a shopper differently alone than among others; rows must not mix"
            return


def _later(world: _World) -> Iterator[str]:
    """Ten visits: the state stays finite, and a shopper who is never offered anything is the twin."""
    states = [world.state(), world.state()]
    for visit in range(10):
        d = Draws(0, world.draws.episode, torch.full_like(world.draws.visit, visit))
        nothing = Offer.nothing(_SHOPPERS, _BUNDLE, world.model.device)
        pairs = [world.play(state, nothing, d) for state in states]
        if not _same(*pairs):
            yield "two shoppers of one history and luck live apart; unoffered, the twin must be the shopper"
            return
        states = [after for _, after in pairs]
    for name, value in states[0].items():
        if value.dtype.is_floating_point and not bool(torch.isfinite(value).all()):
            yield f"respond: state {name!r} is no finite number after ten visits"


def _discount(world: _World) -> Iterator[str]:
    """Where an offer is said to be only its discount."""
    if world.model.offer_is_only_discount:
        yield from (f"respond: {problem}" for problem in offer_problems(world.model, world.dataset))


class _TooLong(BaseException):
    """A visit without an end; no `except Exception` of a shopper takes it for one of its own errors."""


@contextmanager
def _at_most(seconds: float, method: str) -> Iterator[None]:
    """Raises `_TooLong` where what is done within takes longer and can be interrupted.

    A loop that catches all errors would catch this one and go on. So it is raised once more at the next line,
    which is where the loop handles it, and all of it again and again until it has left.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def too_long(*_: object) -> NoReturn:
        raise _TooLong(f"{method}: takes over {seconds:g} s for {_SHOPPERS} shoppers; does it ever end?")

    def at_the_next_line(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":  # an error at another event would unset tracing before the handler is reached
            too_long()
        return at_the_next_line

    def stop(_: int, frame: FrameType | None) -> None:
        sys.settrace(lambda *_: None)  # without one no frame's own is asked; it is unset by an error in these
        while frame is not None and frame.f_code is not inside:
            frame.f_trace = at_the_next_line
            frame = frame.f_back
        too_long()

    inside, tracing = sys._getframe(2).f_code, sys.gettrace()
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.settrace(tracing)


def _same(one: Response | tuple[Response, State], two: Response | tuple[Response, State]) -> bool:
    if isinstance(one, tuple) and isinstance(two, tuple):
        states = all(torch.equal(value, two[1][name]) for name, value in one[1].items())
        return states and _same(one[0], two[0])
    return all(
        torch.equal(getattr(one, part.name), getattr(two, part.name)) for part in dataclasses.fields(Response)
    )


def main(arguments: list[str] | None = None, tell: Callable[[str], None] = say) -> int:
    """The command; 0 where the contract is kept, 1 where it is not, 2 for a wrong option."""
    parser = Parser(prog="python -m bundlegym.user_models.testing", description=__doc__)
    parser.add_argument("spec", help="module:Class, from the working directory or an installed package")
    parser.add_argument("arguments", nargs="*", help="name=value, arguments of the class")
    parser.add_argument("--log", default="synthetic", help="log to try it on (synthetic)")
    parser.add_argument(
        "--patience", type=float, default=_PATIENCE,
        help=f"seconds for a visit of {_SHOPPERS} shoppers, after which it is stopped (%(default)g)",
    )  # fmt: skip
    try:
        options = parser.parse_args(arguments)
        check("--patience", options.patience, _Patience)
        dataset = synthetic_dataset() if options.log == "synthetic" else prepare(DataConfig(log=options.log))
        model = build_user_model(options.spec, dataset, parse_arguments(options.arguments, "argument"))
    except UserError as error:
        tell(f"error: {error}")
        return 2
    found = problems(model, dataset, options.patience)
    kind = "a plain class" if isinstance(model, PlainShoppers) else "a batched user model"
    if not found:
        command = f"python -m bundlegym train --user-model {options.spec}"
        tell(f"{options.spec} keeps the contract ({kind}). Train on it: {command}")
        return 0
    tell(f"{options.spec} ({kind}) has {len(found)} problem{'s' * (len(found) > 1)}:")
    for number, problem in enumerate(found, 1):
        tell(f"{number}. {problem}")
    return 1


if __name__ == "__main__":
    show_what_it_can()
    sys.exit(main())
