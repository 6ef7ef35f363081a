"""Who does the jobs of a command: processes of this machine, or `--ray`, a cluster of Ray."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bundlegym.evaluation.parallel import Engine, Processes, at_once
from bundlegym.evaluation.ray_cluster import check_ray, ray_cluster
from bundlegym.options import Parser

RAY_HELP = "do the jobs in processes of Ray (extra `ray`) on this machine"
RAY_ADDRESS_HELP = "do the jobs on the cluster of Ray at this address, such as 10.0.0.1:6379 or auto"


@dataclass(frozen=True)
class EngineOptions:
    """Where the jobs of a command run: in processes of this machine, or on a cluster of Ray.

    Attributes:
        ray: a cluster of this machine's own.
        address: of a cluster that is there; empty for none.

    Raises:
        UserError: ray is asked for and not installed.
    """

    ray: bool = False
    address: str = ""

    def __post_init__(self) -> None:
        if self.ray or self.address:
            check_ray()

    @staticmethod
    def taken(arguments: list[str]) -> tuple[EngineOptions, list[str]]:
        """Those among the arguments of a command line, and the other arguments."""
        parser = Parser(add_help=False)
        add_engine_options(parser)
        known, others = parser.parse_known_args(arguments)
        return EngineOptions(known.ray, known.ray_address), others

    @contextmanager
    def engine(self, workers: int, *, gpu: bool) -> Iterator[Engine]:
        """The engine that runs jobs, inside.

        Args:
            workers: jobs at once on this machine; 0 is one for each core, and one in all on a GPU. A cluster
                that is there does as many as it has cores.
            gpu: whether each job computes on one.

        Raises:
            UserError: there is no cluster at the address.
        """
        if self.ray or self.address:
            with ray_cluster(self.address or None, workers or None, gpu=gpu) as cluster:
                yield cluster
        else:
            yield Processes(at_once(workers, gpu=gpu))


def add_engine_options(parser: Parser) -> None:
    """`--ray` and `--ray-address`."""
    parser.add_argument("--ray", action="store_true", help=RAY_HELP)
    parser.add_argument("--ray-address", default="", help=RAY_ADDRESS_HELP)
