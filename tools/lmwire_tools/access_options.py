"""The options by which commands that listen let others in: one definition for all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lmwire_runtime.access import AccessRule
from lmwire_runtime.errors import UsageError

__all__ = ["access_options"]

C = TypeVar("C", bound=Callable[..., Any])


def access_options(command: C) -> C:
    """Give a command ``--allow-origin`` and ``--allow-host``; it gets an ``AccessRule`` as ``access``."""

    @functools.wraps(command)
    def with_access(
        *arguments: Any, origins: tuple[str, ...], host_names: tuple[str, ...], **options: Any
    ) -> Any:
        try:
            access = AccessRule(origins=origins, host_names=host_names)
        except UsageError as error:
            raise click.BadParameter(str(error), param_hint="--allow-origin") from None
        return command(*arguments, access=access, **options)

    origin = click.option(
        "--allow-origin",
        "origins",
        multiple=True,
        metavar="ORIGIN",
        help="Let web pages of this origin in, such as https://example.org; may be given several times.",
    )
    host = click.option(
        "--allow-host",
        "host_names",
        multiple=True,
        metavar="NAME",
        help="Take requests for this name of the machine, such as a reverse proxy's; may be given several times.",
    )
    return origin(host(with_access))  # type: ignore[return-value]  # click's decorators return what they are given
