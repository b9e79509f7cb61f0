"""The generated reference as readers see it: pages parsed by a Markdown library, sections, tables, links, frames."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["Frame", "Page", "Section", "broken_links"]

_PARSER: Final = MarkdownIt("commonmark").enable("table")
_ANCHOR: Final = re.compile(r'<a id="([^"]+)"></a>')
_SENT: Final = {"Client to server": "server", "Server to client": "client"}


@attrs.frozen
class Frame:
    """An example: who gets it, what it is called, and the frame."""

    to: str
    name: str
    data: Any


@attrs.define
class Section:
    """What stands between two headings.

    Attributes:
        level, title: The heading, without markup.
        anchor: The name of the anchor before it.
        text: All text of paragraphs and lists, without markup.
        tables: Rows of cells, without markup, the head first.
        frames: The examples with a direction.
        blocks: The JSON of all fenced blocks.
    """

    level: int
    title: str
    anchor: str
    text: list[str] = attrs.field(factory=list)
    tables: list[list[list[str]]] = attrs.field(factory=list)
    frames: list[Frame] = attrs.field(factory=list)
    blocks: list[Any] = attrs.field(factory=list)


@attrs.define
class Page:
    """A page: its sections in order, anchors, targets of links, and whatever HTML it has beside anchors."""

    path: str
    sections: list[Section]
    anchors: list[str]
    links: list[str]
    html: list[str]

    def section(self, anchor: str) -> Section:
        """Return the section that an anchor stands before."""
        (found,) = [section for section in self.sections if section.anchor == anchor]
        return found

    def parts(self, anchor: str) -> list[Section]:
        """Return a section and those below it."""
        start = self.sections.index(self.section(anchor))
        below = [self.sections[start]]
        for section in self.sections[start + 1 :]:
            if section.level <= below[0].level:
                break
            below.append(section)
        return below

    @classmethod
    def parse(cls, path: str, text: str) -> Page:
        """Read a page."""
        page = cls(path, [Section(0, "", "")], [], [], [])
        anchor = ""
        tokens = _PARSER.parse(text)
        for number, token in enumerate(tokens):
            for child in token.children or ():
                if child.type == "link_open":
                    page.links.append(str(child.attrs["href"]))
                elif child.type == "html_inline":
                    page.html.append(child.content)
            if token.type == "html_block" or token.type == "inline":
                anchor = _anchors(page, token, anchor)
            if token.type == "heading_open":
                title = _shown(tokens[number + 1])
                page.sections.append(Section(int(token.tag[1:]), title, anchor))
                anchor = ""
            elif token.type == "inline" and tokens[number - 1].type == "paragraph_open":
                page.sections[-1].text.append(_shown(token))
            elif token.type == "fence":
                _fence(page.sections[-1], token)
        for section, rows in _tables(tokens, page.sections):
            section.tables.append(rows)
        return page

    @classmethod
    def read_all(cls, folder: Path) -> dict[str, Page]:
        """Read all pages of a reference, by path."""
        return {
            path.relative_to(folder).as_posix(): cls.parse(
                path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
            )
            for path in sorted(folder.rglob("*.md"))
        }


def broken_links(path: str, pages: Mapping[str, Page]) -> list[str]:
    """Return the links of a page that lead nowhere."""
    broken = []
    for link in pages[path].links:
        target, _, name = link.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
        if there not in pages or (name and name not in pages[there].anchors):
            broken.append(link)
    return broken


def _anchors(page: Page, token: Token, last: str) -> str:
    content = token.content if token.type == "html_block" else ""
    for child in token.children or ():
        if child.type == "html_inline":
            content += child.content
    for name in _ANCHOR.findall(content):
        page.anchors.append(name)
        last = name
    rest = _ANCHOR.sub("", content).strip()
    if token.type == "html_block" and rest:
        page.html.append(rest)
    page.html = [
        text for text in page.html if not _ANCHOR.match(text) and text != "</a>" and "<a id=" not in text
    ]
    return last


def _shown(token: Token) -> str:
    """Return the text of an inline token as a reader sees it."""
    return "".join(
        " " if child.type == "softbreak" else child.content
        for child in token.children or ()
        if child.type in ("text", "code_inline", "softbreak", "text_special")
    )


def _fence(section: Section, token: Token) -> None:
    assert token.info == "json"
    data = json.loads(token.content)
    section.blocks.append(data)
    before = section.text[-1] if section.text else ""
    way, _, name = before.rstrip(":").partition(", ")
    if way in _SENT:
        section.frames.append(Frame(_SENT[way], name, data))


def _tables(tokens: list[Token], sections: list[Section]) -> Iterator[tuple[Section, list[list[str]]]]:
    current = iter(sections)
    section = next(current)
    rows: list[list[str]] = []
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            section = next(current)
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(_shown(tokens[number + 1]))
        elif token.type == "table_close":
            yield section, rows
