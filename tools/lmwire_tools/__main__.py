"""``python -m lmwire_tools`` is the command ``lmwire``."""

from lmwire_tools.launcher import main

main()
