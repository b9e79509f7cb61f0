"""All endpoints of the protocol, and namespaces whose values are read and written in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from lmwire import diagnostics, embedding, files, llm, plugins, repository, runtime, system
from lmwire_runtime.descriptors import Codec, EndpointDescriptor, NamespaceDescriptor

__all__ = ["ENDPOINTS", "NAMESPACES", "with_codecs"]

Change: TypeAlias = "Callable[[Codec[Any]], Codec[Any]]"

NAMESPACES: Final[Mapping[str, NamespaceDescriptor]] = {
    module.NAMESPACE.name: module.NAMESPACE
    for module in (diagnostics, embedding, files, llm, plugins, repository, runtime, system)
}

ENDPOINTS: Final[Mapping[str, EndpointDescriptor]] = {
    f"{namespace.name}.{endpoint.name}": endpoint
    for namespace in NAMESPACES.values()
    for endpoint in [*namespace.rpc.values(), *namespace.channel.values()]
}
"""By ``namespace.name``, as the wire has them."""


def with_codecs(namespace: NamespaceDescriptor, change: Change) -> NamespaceDescriptor:
    """Return a namespace with every codec of its calls and channels changed."""
    return attrs.evolve(
        namespace,
        rpc={
            name: attrs.evolve(call, parameter=change(call.parameter), result=change(call.result))
            for name, call in namespace.rpc.items()
        },
        channel={
            name: attrs.evolve(
                channel,
                creation=change(channel.creation),
                to_server=change(channel.to_server),
                to_client=change(channel.to_client),
            )
            for name, channel in namespace.channel.items()
        },
    )
