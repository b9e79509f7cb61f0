"""What is measured: one table of figures, and for each what it is compared with and how far it should reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

__all__ = ["FIGURES", "Figure", "Goal"]

Reading = Callable[[Any, Mapping[str, Any]], float]


@attrs.frozen
class Goal:
    """A reach: the other's figure divided by lmwire's has to be at least ``factor``.

    Attributes:
        other: A peer of the same figure, or another figure, whose lmwire value is taken.
        factor: More than 1: so many times less than the other; less than 1: not much more.
        above: A peer whose number is what nobody can undercut; it is taken off both.
    """

    other: str
    factor: float
    above: str | None = None


@attrs.frozen(kw_only=True)
class Figure:
    """One number for each peer; less is better.

    Attributes:
        title: What a reader calls it.
        unit: Of the number.
        scenarios: For each peer the scenario that it runs.
        options: The scenario's options.
        shorter: Options of peers for whom these would take minutes.
        reading: Makes the number of what a scenario printed.
        goals: How far lmwire should reach.
        limit: What lmwire's number should not exceed.
        rounds: How often each peer is run, in turn with the others.
        family: Figures of one family are measured in the same rounds, because they are compared with each other, or
            read the same runs; empty for those that stand alone.
    """

    title: str
    unit: str
    scenarios: Mapping[str, str]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    shorter: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    reading: Reading
    goals: Sequence[Goal] = ()
    limit: float | None = None
    rounds: int = 3
    family: str = ""

    def options_of(self, peer: str, *, quick: bool) -> dict[str, Any]:
        """Return the options with which a peer is run; a quick run shows that everything works, not how fast."""
        options = {**self.options, **self.shorter.get(peer, {})}
        least = {"count": 200, "runs": 2, "rounds": 1, "streams": 1} if quick else {}
        return options | {
            name: max(at_least, options[name] // 50) for name, at_least in least.items() if name in options
        }


def _each(samples: Any, count: float) -> float:
    # The first run of a process warms it up: caches, compilers just in time.
    return float(statistics.median(sample["wall"] for sample in samples[1:])) / count * 1e6


def _per_fragment(samples: Any, options: Mapping[str, Any]) -> float:
    return _each(samples, options["count"])


def _per_fragment_of_all(samples: Any, options: Mapping[str, Any]) -> float:
    return _each(samples, options["streams"] * options["size"] * options["rounds"])


def _percentile(percent: int) -> Reading:
    def read(samples: Any, options: Mapping[str, Any]) -> float:
        # Nothing is steady at the start of a program.
        cuts: list[float] = statistics.quantiles(samples[len(samples) // 10 :], n=100)
        return cuts[percent - 1] / 1e3

    return read


def _member(name: str) -> Reading:
    def read(samples: Any, options: Mapping[str, Any]) -> float:
        return float(samples[name])

    return read


def _milliseconds(samples: Any, options: Mapping[str, Any]) -> float:
    return float(samples["seconds"]) * 1e3


def _same(scenario: str, *peers: str) -> dict[str, str]:
    return dict.fromkeys(peers, scenario)


_NODE: Final = {"node-1.5.0": "stream-async", "node-2.0.0": "stream-async"}
_STREAM: Final = {"count": 100_000, "runs": 3}
_SHORTER_STREAM: Final = {"count": 5_000, "runs": 3}
_PACED: Final = {"count": 1500, "seconds": 0.002}
_CALLS: Final = {"count": 1000, "runs": 4}
_MANY_ROUNDS: Final = 9


def _crowd(kind: str, streams: int, size: int, goals: Sequence[Goal] = ()) -> Figure:
    """``streams`` streams at a time, bursts of ``size`` fragments for each."""
    # So many for each stream that its beginning and end do not count.
    rounds = max(200, 40_000 // streams) // size
    what = "tasks" if kind == "async" else "threads"
    return Figure(
        title=f"{streams} {what}, bursts of {size}, per fragment",
        unit="us",
        scenarios={"lmwire": "streams-async" if kind == "async" else "streams"},
        options={"streams": streams, "size": size, "rounds": rounds, "runs": 3},
        reading=_per_fragment_of_all,
        goals=goals,
        rounds=7,
        family=what,
    )


FIGURES: Final[Mapping[str, Figure]] = {
    "stream": Figure(
        title="complete_stream, threads, per fragment",
        unit="us",
        scenarios={**_same("stream", "lmwire", "lmstudio", "floor"), **_NODE},
        options=_STREAM,
        shorter={"lmstudio": _SHORTER_STREAM},
        reading=_per_fragment,
        rounds=_MANY_ROUNDS,
        goals=[Goal("lmstudio", 25), Goal("floor", 0.7), Goal("node-1.5.0", 0.9), Goal("node-2.0.0", 0.9)],
    ),
    "stream-async": Figure(
        title="complete_stream, asyncio, per fragment",
        unit="us",
        scenarios={**_same("stream-async", "lmwire", "lmstudio", "floor"), **_NODE},
        options=_STREAM,
        shorter={"lmstudio": _SHORTER_STREAM},
        reading=_per_fragment,
        rounds=_MANY_ROUNDS,
        goals=[Goal("lmstudio", 9), Goal("floor", 0.7), Goal("node-1.5.0", 0.9), Goal("node-2.0.0", 0.9)],
    ),
    "rpc": Figure(
        title="rpc round trip, threads",
        unit="us",
        scenarios=_same("rpc", "lmwire", "lmstudio", "floor"),
        options=_CALLS,
        reading=_per_fragment,
        rounds=_MANY_ROUNDS,
        goals=[Goal("lmstudio", 4), Goal("floor", 1 / 1.2)],
    ),
    "rpc-async": Figure(
        title="rpc round trip, asyncio",
        unit="us",
        scenarios=_same("rpc-async", "lmwire", "lmstudio", "floor", "node-1.5.0", "node-2.0.0"),
        options=_CALLS,
        reading=_per_fragment,
        rounds=_MANY_ROUNDS,
        goals=[Goal("lmstudio", 1.7), Goal("floor", 1 / 1.2)],
    ),
    **{
        f"latency-p{percent}": Figure(
            title=f"latency of single fragments, threads, p{percent}",
            unit="us",
            scenarios=_same("paced", "lmwire", "lmstudio", "floor"),
            options=_PACED,
            reading=_percentile(percent),
            goals=[Goal("lmstudio", 5, above="floor")],
            rounds=5,
            family="latency",
        )
        for percent in (50, 99)
    },
    **{
        f"latency-async-p{percent}": Figure(
            title=f"latency of single fragments, asyncio, p{percent}",
            unit="us",
            scenarios={
                **_same("paced-async", "lmwire", "lmstudio", "node-1.5.0", "node-2.0.0"),
                "floor": "paced",
            },
            options=_PACED,
            reading=_percentile(percent),
            goals=[Goal("lmstudio", 2, above="floor")],
            rounds=5,
            family="latency-async",
        )
        for percent in (50, 99)
    },
    "tasks-1": _crowd("async", 1, 8),
    "tasks-10": _crowd("async", 10, 8),
    "tasks-100": _crowd("async", 100, 8),
    "tasks-1000": _crowd("async", 1000, 8, [Goal("tasks-1", 1 / 1.3)]),
    "tasks-1000-single": _crowd("async", 1000, 1, [Goal("tasks-1", 1 / 1.6)]),
    "threads-1": _crowd("sync", 1, 8),
    "threads-8": _crowd("sync", 8, 8, [Goal("threads-1", 1 / 1.4)]),
    "threads-64": _crowd("sync", 64, 8, [Goal("threads-1", 1 / 2.5)]),
    "idle-channel": Figure(
        title="memory of an open idle channel, asyncio",
        unit="bytes",
        scenarios={"lmwire": "idle-async"},
        options={"streams": 500},
        reading=_member("bytes"),
        limit=8 * 1024,
        rounds=1,
    ),
    "slow-reader": Figure(
        title="peak memory, 1,000,000 fragments, slow reader",
        unit="MiB",
        scenarios={"lmwire": "slow"},
        options={"count": 1_000_000, "pause": 0.02},
        reading=_member("mib"),
        # The budget of a channel, 16 MiB on the wire and five times that when parsed, and a program that reads.
        limit=16 * 5 + 40,
        rounds=1,
    ),
    "minimal-client": Figure(
        title="peak memory of one completion",
        unit="MiB",
        scenarios=_same("first", "lmwire", "lmstudio"),
        reading=_member("mib"),
        goals=[Goal("lmstudio", 1)],
    ),
    "import": Figure(
        title="import",
        unit="ms",
        scenarios=_same("import", "lmwire", "lmstudio", "bare-python"),
        reading=_milliseconds,
        goals=[Goal("lmstudio", 2, above="bare-python")],
        rounds=15,
    ),
    "ready": Figure(
        title="from nothing to the end of a first completion",
        unit="ms",
        scenarios={**_same("first", "lmwire", "lmstudio"), "bare-python": "import"},
        reading=_milliseconds,
        goals=[Goal("lmstudio", 1 / 0.7, above="bare-python")],
        rounds=15,
    ),
    **{
        f"{way}-{kind}": Figure(
            title=f"{way} a {kind}",
            unit="us",
            scenarios=_same(f"{way}-{kind}", "lmwire", "msgspec", "cattrs"),
            reading=_member("us"),
            goals=[Goal("msgspec", 0.5)] if (way, kind) == ("decode", "fragment") else [],
        )
        for way in ("decode", "encode")
        for kind in ("fragment", "stats", "instance-info", "config")
    },
    "generator": Figure(
        title="lmwire-codegen generate, the whole protocol",
        unit="s",
        scenarios={"lmwire": "generate"},
        reading=_member("seconds"),
        limit=10,
        rounds=2,
    ),
}
