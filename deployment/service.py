"""A small HTTP service over an exported policy: `GET /health`, `GET /version`, `POST /offers`.

It answers one request after the other, since each keeps one core busy for a few milliseconds; whoever needs
more starts several processes. What a client sends wrong is an error of the client, told in one sentence.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

import bundlegym
from bundlegym.deployment.answers import Answer
from bundlegym.deployment.exported import ExportedPolicy
from bundlegym.deployment.histories import History
from bundlegym.deployment.limits import Limits
from bundlegym.errors import UserError

#: Longest body, in bytes, and the time that it may take to come, in seconds.
BODY_LIMIT, BODY_SECONDS = 1_000_000, 10.0
_MOST_LINES, _MOST_OFFERS = 10_000, 10

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Id = Annotated[str, Field(max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class Line(_Strict):
    """An item that was bought."""

    item: Id = Field(description="id in the log")
    time: datetime.datetime = Field(description="when, such as 2024-05-17")
    basket: Id = Field(default="", description="tells visits on one day apart")
    quantity: float = Field(default=1.0, allow_inf_nan=False, description="0 or less is a return")
    price_paid: float | None = Field(default=None, allow_inf_nan=False, description="accepted, not needed")


class Ask(_Strict):
    """Whom to make offers to: a shopper of the log by id, or anybody by a history, which may be empty."""

    shopper: Id | None = Field(default=None, description="id of a shopper of the log")
    history: list[Line] | None = Field(
        default=None, max_length=_MOST_LINES, description="what somebody bought"
    )
    name: Id = Field(default="", description="of somebody given by a history; it decides on luck alone")
    k: int = Field(default=1, ge=1, le=_MOST_OFFERS, strict=True, description="offers at most")
    day: datetime.date | None = Field(default=None, description="of the offers; else the log's last and one")
    exclude_items: list[Id] = Field(default=[], max_length=_MOST_LINES, description="ids, never offered")

    @model_validator(mode="after")
    def _one_of_both(self) -> Ask:
        if (self.shopper is None) == (self.history is None):
            raise ValueError("give either shopper or history")
        return self


class Item(BaseModel):
    """An item of an offer, with its price at the shelf."""

    item: str
    name: str
    price: float


class Offer(BaseModel):
    """A bundle; `price` is that of all of it at the discount."""

    items: list[Item]
    discount: float
    price: float


class Offers(BaseModel):
    """Offers, best first; none where nothing is worth offering."""

    offers: list[Offer]
    unknown_items: list[str]


class Version(BaseModel):
    """What answers."""

    bundlegym: str
    run: str
    policy: str
    offer_exposure: float
    log: str
    notes: list[str]


class Problem(BaseModel):
    """What is wrong with a request, in one sentence."""

    error: str


def make_app(
    policy: ExportedPolicy,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    excluded: np.ndarray | None = None,
) -> Any:
    """The service as an ASGI application.

    Args:
        policy: who answers.
        limits, excluded: of all offers, see `ExportedPolicy.recommend`.
    """
    app = FastAPI(
        title="bundlegym",
        description="Offers of bundles to a shop's customers.",
        version=bundlegym.__version__,
    )

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return _problem(422, _words(error))

    @app.exception_handler(UserError)
    async def refused(request: Request, error: UserError) -> JSONResponse:
        return _problem(422, str(error))

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the service answers."""
        return {"status": "ok"}

    @app.get("/version")
    async def version() -> Version:
        """What answers: version, run, agent and log."""
        names = ("bundlegym", "run", "policy", "offer_exposure", "log", "notes")
        return Version(**{name: policy.facts[name] for name in names})

    @app.post("/offers", responses={code: {"model": Problem} for code in (408, 413, 422)})
    async def offers(ask: Ask) -> Offers:
        """Offers to one shopper."""
        answer = policy.recommend(
            _history(ask) if ask.shopper is None else ask.shopper,
            k=ask.k,
            day=None if ask.day is None else ask.day.isoformat(),
            name=ask.name,
            exclude_items=ask.exclude_items,
            limits=limits,
            excluded=excluded,
        )
        return _told(answer)

    return BodyLimit(app)


def _history(ask: Ask) -> History:
    lines = ask.history or []
    times = [line.time.replace(tzinfo=None, microsecond=0).isoformat() for line in lines]
    table: dict[str, list[Any]] = {
        "item": [line.item for line in lines],
        "time": times,
        "quantity": [line.quantity for line in lines],
    }
    if any(line.basket for line in lines):
        table["basket"] = [f"{time} {line.basket}" for time, line in zip(times, lines, strict=True)]
    return table


def _told(answer: Answer) -> Offers:
    return Offers(
        offers=[
            Offer(
                items=[Item(item=i.item, name=i.name, price=i.price) for i in offer.items],
                discount=offer.discount,
                price=round(offer.price, 2),
            )
            for offer in answer.offers
        ],
        unknown_items=list(answer.unknown_items),
    )


def _words(error: RequestValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _problem(status: int, text: str) -> JSONResponse:
    # What a client sent may hold half of a surrogate pair, which UTF-8 cannot write.
    return JSONResponse({"error": text.encode("utf-8", "replace").decode()}, status_code=status)


class BodyLimit:
    """Reads a request's body before the application does: 413 where it is too long, 408 where it takes too
    long.

    It is an ASGI middleware (https://asgi.readthedocs.io). FastAPI's own `max_body_size` knows no time.
    """

    def __init__(self, app: FastAPI, limit: int = BODY_LIMIT, seconds: float = BODY_SECONDS) -> None:
        self.app, self.limit, self.seconds = app, limit, seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        try:
            body = await asyncio.wait_for(self._body(receive), self.seconds)
        except TimeoutError:
            return await _problem(408, f"the body took longer than {self.seconds:g} s")(scope, receive, send)
        if body is None:
            return await _problem(413, f"the body is longer than {self.limit} bytes")(scope, receive, send)
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """All of it; None where it is too long."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size > self.limit:
                return None
            parts.append(part)
            more = message["type"] == "http.request" and message.get("more_body", False)
        return b"".join(parts)
