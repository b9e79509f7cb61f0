"""``python -m lmwire_tools`` is the command ``lmwire``."""

from lmwire_tools.cli import main

main(prog_name="lmwire")
