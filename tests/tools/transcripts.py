"""Transcripts of real clients, which lie beside the checkout of who has them; elsewhere their tests are skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["TRANSCRIPTS"]

TRANSCRIPTS: Final = sorted((Path(__file__).resolve().parents[3] / "shared" / "transcripts").glob("*.jsonl"))
