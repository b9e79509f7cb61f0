"""Loaded models as the official SDK's users name them: an identifier, a query, or a specifier, as object or dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import lmwire
from lmstudio._records import Record, with_none
from lmwire.llm import ModelQuery, ModelSpecifier, ModelSpecifierInstanceReference, ModelSpecifierQuery

__all__ = ["AnyModelSpecifier", "known", "specifier_of"]

AnyModelSpecifier: TypeAlias = "str | ModelSpecifier | ModelQuery | Mapping[str, Any]"

Info = TypeVar("Info", bound=Record)


def specifier_of(given: Any) -> ModelSpecifier:
    """Return the protocol's specifier.

    Raises:
        UsageError: It is none of these.
    """
    if isinstance(given, (ModelSpecifierQuery, ModelSpecifierInstanceReference)):
        return given
    if isinstance(given, str):
        given = ModelQuery(identifier=given)
    if isinstance(given, ModelQuery):
        return ModelSpecifierQuery(query=given)
    if not isinstance(given, Mapping):
        raise lmwire.UsageError(f"a model is named by its identifier, a query or a specifier; got {given!r}")
    if given.get("type") == "instanceReference":
        return ModelSpecifierInstanceReference.from_wire(dict(given))
    if given.get("type") == "query":
        return ModelSpecifierQuery.from_wire(dict(given))
    return ModelSpecifierQuery(query=ModelQuery.from_wire(dict(given)))


def known(info: object, wanted: Any, kind: type[Info]) -> Info:
    """Return what the server knows of a model, None for what it does not say.

    Raises:
        NoModelLoadedError: It answered with nothing.
    """
    if info is None:
        raise lmwire.NoModelLoadedError(f"no model is loaded that is {wanted!r}")
    return with_none(info, kind)
