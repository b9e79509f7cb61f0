"""An answer in a shape of one's own: by a class of this package, by pydantic's, by a schema."""

from typing import Any

import pydantic

import lmstudio as lms


class Book(lms.BaseModel):
    """A book."""

    title: str
    author: str
    year: int


class PydanticBook(pydantic.BaseModel):
    title: str
    author: str
    year: int


SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "author": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["title", "author", "year"],
}
PROMPT = "About The Hobbit:"
SHAPES: tuple[Any, ...] = (Book, PydanticBook, SCHEMA)


def report(result: lms.PredictionResult) -> None:
    book = result.parsed
    assert isinstance(book, dict)
    assert result.structured
    print(book["title"], "/", book["author"], "/", book["year"])
    print(repr(result.parse_as(Book)))


def convenience() -> None:
    model = lms.llm()
    assert isinstance(Book, lms.ModelSchema)
    assert isinstance(PydanticBook, lms.ModelSchema)
    for shape in SHAPES:
        report(model.complete(PROMPT, response_format=shape))


def scoped() -> None:
    with lms.Client() as client:
        model = client.llm.model()
        for shape in SHAPES:
            stream = model.complete_stream(PROMPT, response_format=shape)
            text = "".join(fragment.content for fragment in stream)
            assert text == stream.result().content
            report(stream.result())


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        model = await client.llm.model()
        for shape in SHAPES:
            report(await model.complete(PROMPT, response_format=shape))
