"""What a client may leave behind, counted: threads, descriptors, and objects that should be gone."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lmwire_runtime.async_link import AsyncLink
from lmwire_runtime.async_shell import AsyncClient, AsyncConnection
from lmwire_runtime.channel_core import ChannelCore
from lmwire_runtime.exchanges import Exchange
from lmwire_runtime.session import ClientSession
from lmwire_runtime.sync_link import SyncLink
from lmwire_runtime.sync_shell import SyncClient, SyncConnection
from lmwire_runtime.transport import ClientTransport
from tests.runtime.arithmetic import ENOUGH

__all__ = ["nothing_left"]

KINDS = (
    AsyncClient,
    AsyncConnection,
    AsyncLink,
    ChannelCore,
    ClientSession,
    ClientTransport,
    Exchange,
    SyncClient,
    SyncConnection,
    SyncLink,
)
# The open descriptors of this process, where the platform lists them.
DESCRIPTORS = Path("/proc/self/fd")


def _descriptors() -> set[str]:
    if not DESCRIPTORS.is_dir():
        return set()
    found = {}
    for name in os.listdir(DESCRIPTORS):
        try:
            found[name] = os.readlink(DESCRIPTORS / name)
        except OSError:
            continue  # the listing's own
    return {
        f"{name} {target}"
        for name, target in found.items()
        if target.startswith(("socket", "anon_inode", "pipe"))
    }


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fail if what happens inside leaves a thread, a socket or an object of the runtime behind."""
    gc.freeze()  # so that the collection to come looks at what is new only
    threads, descriptors = set(threading.enumerate()), _descriptors()
    try:
        yield
        for thread in set(threading.enumerate()) - threads:
            thread.join(ENOUGH)
            assert not thread.is_alive(), thread
        gc.collect()
        left = [item for item in gc.get_objects() if isinstance(item, KINDS)]
        assert not left, left
        assert _descriptors() <= descriptors
    finally:
        gc.unfreeze()
