"""Classes in one shape, made with every library that structured output understands, and a postponed one."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime, timezone
from typing import Annotated, Any, ClassVar, Literal, Optional
from uuid import UUID

import attrs
import msgspec
import pydantic
from typing_extensions import NotRequired, TypedDict

import lmwire


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class ByBaseModel(lmwire.BaseModel):
    title: str
    year: int
    tags: list[str] = []  # noqa: RUF012 - each object has its own


class ByPydantic(pydantic.BaseModel):
    title: str
    year: int
    tags: list[str] = []


class ByMsgspec(msgspec.Struct):
    title: str
    year: int
    tags: list[str] = []


@dataclasses.dataclass
class ByDataclass:
    title: str
    year: int
    tags: list[str] = dataclasses.field(default_factory=list)


@attrs.define
class ByAttrs:
    title: str
    year: int
    tags: list[str] = attrs.field(factory=list)


class ByTypedDict(TypedDict):
    title: str
    year: int
    tags: NotRequired[list[str]]


MAKERS: tuple[Any, ...] = (ByBaseModel, ByPydantic, ByMsgspec, ByDataclass, ByAttrs, ByTypedDict)


class Author(lmwire.BaseModel):
    name: str
    born: int | None = None


class Book(lmwire.BaseModel):
    """A book,
    as it was printed.
    """

    shelf: ClassVar[str] = "A"

    title: Annotated[str, "as on the cover"]
    author: Author
    pages: Annotated[int, pydantic.Field(gt=0, le=5000)]
    rating: float = 1.0
    colour: Colour = Colour.RED
    kind: Literal["novel", "play", 3, True, None] = "novel"
    edition: tuple[int, str]
    prices: dict[str, float] = {}  # noqa: RUF012
    seen: set[int] = set()  # noqa: RUF012
    printed: datetime
    bought: date | None = None
    code: UUID
    sequel: Optional[Book] = None  # noqa: UP045 - the older spelling is to work too
    anything: Any = None


class Translation(Book):
    language: str
    original: ByDataclass


ANSWER: dict[str, Any] = {
    "title": "Emma",
    "author": {"name": "Jane Austen"},
    "pages": 474,
    "rating": 5,
    "colour": "blue",
    "kind": "play",
    "edition": [3.0, "hardcover"],
    "prices": {"new": 8},
    "seen": [1, 2, 2],
    "printed": "1815-12-23T00:00:00Z",
    "bought": "2020-02-29",
    "code": "12345678-1234-5678-1234-567812345678",
    "unknown": "is ignored",
}
BUILT = Book(
    title="Emma",
    author=Author(name="Jane Austen", born=None),
    pages=474,
    rating=5.0,
    colour=Colour.BLUE,
    kind="play",
    edition=(3, "hardcover"),
    prices={"new": 8.0},
    seen={1, 2},
    printed=datetime(1815, 12, 23, tzinfo=timezone.utc),
    bought=date(2020, 2, 29),
    code=UUID("12345678-1234-5678-1234-567812345678"),
)
