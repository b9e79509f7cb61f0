"""Calls whose parameter is made from a template, driven by plans of the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs

from lmwire_runtime.descriptors import RpcDescriptor
from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.templates import fill
from lmwire_runtime.wire import STRICT, DecodeError

__all__ = ["CallPlan"]

P = TypeVar("P")
R = TypeVar("R")


@attrs.frozen(kw_only=True)
class CallPlan(Generic[P, R]):
    """An endpoint, and its parameter as a template; see ``surface.templates``.

    Attributes:
        layer: Template of the one layer of ``$layers``, which is there if ``options`` is not empty; None if ``$layers``
            is not used.
    """

    descriptor: RpcDescriptor[P, R]
    template: Mapping[str, Any]
    layer: Mapping[str, Any] | None = None

    def parameter(self, variables: Mapping[str, Any]) -> P:
        """Return the parameter with these values in it.

        Raises:
            UsageError: It does not fit the schema; the message says where, as a JSON pointer.
        """
        if self.layer is not None:
            layers = [fill(self.layer, variables)] if variables["options"] else []
            variables = {**variables, "layers": layers}
        try:
            return self.descriptor.parameter.decode(fill(self.template, variables), STRICT)
        except DecodeError as error:
            raise UsageError(
                f"{self.descriptor.name} does not take this: {error}; nothing was sent"
            ) from None
