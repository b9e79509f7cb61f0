"""A report as text for a terminal, as Markdown for a changelog, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from lmwire_codegen.changes.rules import RULES, Verdict
from lmwire_codegen.changes.values import Change, Report
from lmwire_codegen.changes.words import one_line

__all__ = ["FORMATS", "render_report"]

Renderer: TypeAlias = "Callable[[Report], str]"

_SHOWN: Final = 3


def render_report(report: Report, form: str) -> str:
    """Return the report as ``text``, ``markdown`` or ``json``, ending in a line feed."""
    return FORMATS[form](report)


def _headline(report: Report) -> str:
    if not report.changes:
        return f"{report.old} -> {report.new}: nothing changed in meaning"
    count = len(report.changes)
    return (
        f"{report.old} -> {report.new}: {count} change{'s' * (count != 1)} in meaning, "
        f"{report.breaks_clients} breaking for clients, {report.breaks_servers} breaking for servers"
    )


def _joined(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the changes, members of one enum that came or went together as one."""
    groups: dict[Any, list[Change]] = {}
    for number, change in enumerate(changes):
        owner = change.subject.partition("=")[0]
        key = (change.kind, owner) if change.kind in ("member-added", "member-removed") else number
        groups.setdefault(key, []).append(change)
    for group in groups.values():
        names = ", ".join(change.subject.partition("=")[2] for change in group)
        first = group[0]
        if len(group) > 1:
            first = attrs.evolve(
                first, noun="enum members", subject=f"{first.subject.partition('=')[0]}={names}"
            )
        yield first


def _sentence(change: Change) -> str:
    """Return what happened to what, without what it means."""
    if change.noun == "type":
        return _type_words(change, str)
    words = f"{change.noun} {one_line(change.subject)} {RULES[change.kind].words}"
    if change.old and change.new:
        return f"{words}: {change.old} -> {change.new}" if change.old != change.new else words
    return f"{words}: {change.old or change.new}" if change.old or change.new else words


def _type_words(change: Change, quoted: Callable[[str], str]) -> str:
    """Return what happened to a type, names written by ``quoted``."""
    python = f", in Python {quoted(change.python)}" if change.python != change.subject else ""
    words, name = RULES[change.kind].words, quoted(one_line(change.subject))
    if change.kind in ("type-renamed", "type-split"):
        return f"type {quoted(one_line(change.old))} {words}: {name}{python}"
    return f"type {name} {words}{python}"


def _way(change: Change) -> str:
    """Return where it travels: direction and endpoints, the first few of them."""
    if not change.directions:
        return ""
    names = list(change.endpoints)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    where = (
        f"; {', '.join(names[:_SHOWN])}{more}" if names and not change.subject.startswith(names[0]) else ""
    )
    return f" ({' and '.join(change.directions)}{where})"


def _mark(verdict: Verdict) -> str:
    return "BREAKING" if verdict.breaking else "compatible"


# --- text -----------------------------------------------------------------------------------------------------------


def _text(report: Report) -> str:
    lines = [_headline(report)]
    if report.changes:
        lines += ["", "Changes (for clients | for servers)"]
        for change in _joined(report.changes):
            if change.noun == "type":
                lines.append(f"  {'':24}{_sentence(change)}")
                continue
            marks = f"{_mark(change.clients):10} | {_mark(change.servers):10}"
            lines.append(f"  {marks} {_sentence(change)}{_way(change)}")
            lines += [
                f"  {'':24}  {side}: {verdict.reason}"
                for side, verdict in (("clients", change.clients), ("servers", change.servers))
                if verdict.breaking
            ]
    if report.touched:
        lines += ["", "Touched in the surface"]
        lines += [
            f"  schema/{touched.place.file}:{touched.line} ({touched.place.pointer}): {one_line(touched.reason)}"
            for touched in report.touched
        ]
    if report.human:
        lines += ["", "Needs a human"]
        lines += [f"  {one_line(note.subject)}: {one_line(note.message, 1200)}" for note in report.human]
    if report.names:
        lines += ["", "New names in names.lock.json"]
        lines += [f"  {name} ({one_line(key)})" for key, name in report.names.items()]
    lines += ["", f"Described: {_coverage(report)}"]
    return "\n".join(lines) + "\n"


def _coverage(report: Report) -> str:
    percent = 100 * report.described // report.describable if report.describable else 100
    partly = [
        f"{one_line(area)} {part}/{all_}" for area, (part, all_) in report.coverage.items() if part < all_
    ]
    rest = f"; not whole: {', '.join(partly)}" if partly else ""
    return f"{report.described} of {report.describable} endpoints, types and fields ({percent} %){rest}"


# --- Markdown -------------------------------------------------------------------------------------------------------


def _markdown(report: Report) -> str:
    lines = [f"## Protocol {report.new} (after {report.old})", "", f"{_headline(report)}."]
    for title, chosen in (
        ("Breaking", [change for change in report.changes if change.breaking]),
        (
            "Compatible",
            [change for change in report.changes if not change.breaking and change.noun != "type"],
        ),
        ("Types", [change for change in report.changes if change.noun == "type"]),
    ):
        if chosen:
            lines += ["", f"### {title}", "", *map(_bullet, _joined(chosen))]
    lines += _section(
        "Surface",
        (
            f"{_code(f'schema/{touched.place.file}')}, line {touched.line}: {_plain(touched.reason)}"
            for touched in report.touched
        ),
    )
    lines += _section("To do", (f"{_code(note.subject)}: {_plain(note.message)}" for note in report.human))
    return "\n".join(lines) + "\n"


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    bullets = [f"- {item}" for item in items]
    if bullets:
        yield from ("", f"### {title}", "", *bullets)


def _bullet(change: Change) -> str:
    if change.noun == "type":
        return f"- {_type_words(change, _code)}"
    words = RULES[change.kind].words
    types = [_code(text) for text in dict.fromkeys((change.old, change.new)) if text]
    line = f"- {change.noun} {_code(change.subject)} {words}" + (f": {' → '.join(types)}" if types else "")
    way = f" ({' and '.join(change.directions)})" if change.directions else ""
    broken = [
        f"**breaks {side}**: {verdict.reason}"
        for side, verdict in (("clients", change.clients), ("servers", change.servers))
        if verdict.breaking
    ]
    return line + way + (f" - {'; '.join(broken)}" if broken else "")


def _code(text: str) -> str:
    """Return a code span; text of the schema may have backticks of its own."""
    plain = one_line(text)
    fence = "`"
    while fence in plain:
        fence += "`"
    pad = " " if plain[:1] == "`" or plain[-1:] == "`" else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def _plain(text: str) -> str:
    """Return text in which nothing is markup."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]<>#|" else character for character in text)
    return one_line(escaped, 1200)


# --- JSON -----------------------------------------------------------------------------------------------------------


def _json(report: Report) -> str:
    content = {
        "old": report.old,
        "new": report.new,
        "breaksClients": report.breaks_clients,
        "breaksServers": report.breaks_servers,
        "changes": [_change(change) for change in report.changes],
        "touched": [
            {
                "file": touched.place.file,
                "pointer": touched.place.pointer,
                "line": touched.line,
                "reason": touched.reason,
            }
            for touched in report.touched
        ],
        "human": [{"subject": note.subject, "message": note.message} for note in report.human],
        "names": report.names,
        "described": report.described,
        "describable": report.describable,
        "coverage": {
            area: {"described": part, "describable": all_} for area, (part, all_) in report.coverage.items()
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _change(change: Change) -> dict[str, Any]:
    def side(verdict: Verdict) -> dict[str, Any]:
        return {"breaking": verdict.breaking, "reason": verdict.reason}

    return {
        "kind": change.kind,
        "noun": change.noun,
        "subject": change.subject,
        "old": change.old or None,
        "new": change.new or None,
        "file": change.place.file,
        "pointer": change.place.pointer,
        "directions": list(change.directions),
        "endpoints": list(change.endpoints),
        "clients": side(change.clients),
        "servers": side(change.servers),
        "python": change.python or None,
    }


FORMATS: Final[Mapping[str, Renderer]] = {"text": _text, "json": _json, "markdown": _markdown}
"""Name of a format -> what writes it."""
