"""Calls whose parameter is made from a template, driven by plans of the compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import attrs

from lmwire_runtime.descriptors import RpcDescriptor
from lmwire_runtime.surface.inputs import Input, checked, variables_of
from lmwire_runtime.surface.templates import fill
from lmwire_runtime.wire import UNSET

__all__ = ["CallPlan", "MethodPlan"]

P = TypeVar("P")
R = TypeVar("R")


@attrs.frozen(kw_only=True, eq=False)
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
        return checked(self.descriptor, self.descriptor.parameter, fill(self.template, variables))


@attrs.frozen(kw_only=True, eq=False)
class MethodPlan(Generic[P, R]):
    """A method of a namespace: an endpoint, what the method takes, and what it makes of it.

    Attributes:
        template: The parameter, see ``surface.templates``; UNSET for void ones.
        made: Template of what is returned, filled with the method's variables and the result's fields by their wire
            names; None if the result itself is returned.
        decode: Makes it of plain JSON.
    """

    descriptor: RpcDescriptor[P, R]
    inputs: Mapping[str, Input] = attrs.field(factory=dict)
    template: Any = UNSET
    made: Mapping[str, Any] | None = None
    decode: Callable[[Any], Any] | None = None

    def variables(self, **given: Any) -> dict[str, Any]:
        """Return the template's variables; reads files, where the method takes some.

        Raises:
            UsageError: A value is of the wrong kind, or a file cannot be read.
        """
        return variables_of(self.inputs, given)

    def parameter(self, variables: Mapping[str, Any]) -> P:
        """Return the parameter with these values in it.

        Raises:
            UsageError: It does not fit the schema; the message says where, as a JSON pointer.
        """
        if self.template is UNSET:
            return cast(P, None)
        return checked(self.descriptor, self.descriptor.parameter, fill(self.template, variables))

    def result(self, variables: Mapping[str, Any], result: Any) -> Any:
        """Return what is made of the result."""
        assert self.decode is not None
        return self.decode(fill(self.made, {**variables, **result.to_wire()}))
