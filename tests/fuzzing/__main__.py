"""The long run: ``python -m tests.fuzzing --seconds 600 [TARGET ...]``. Findings are written to ``corpus/``."""

from __future__ import annotations

import argparse
import logging
import secrets
import sys

from tests.fuzzing.fuzzing import CORPUS, fuzz
from tests.fuzzing.targets import TARGETS


def main() -> int:
    """Fuzz; returns 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="for all together")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="equal seeds make equal inputs")
    told = parser.parse_args()
    unknown = set(told.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    chosen = told.targets or list(TARGETS)
    logging.lastResort = None  # what clients warn of is part of the game
    count = 0
    for name in chosen:
        print(f"{name}: seed {told.seed}", flush=True)
        for finding in fuzz(TARGETS[name], seed=told.seed, seconds=told.seconds / len(chosen)):
            count += 1
            print(f"{finding.report}\nkept as {finding.save(CORPUS)}", flush=True)
    print(f"{count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
