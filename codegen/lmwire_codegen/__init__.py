"""The compiler: ``schema/`` in, the Python package ``lmwire`` out. Used at build time only.

The stages are modules of their own and hand attrs values on to each other: ``load`` -> ``validate`` -> ``normalise`` ->
``model`` -> ``render`` -> ``format`` -> ``write``; ``pipeline`` joins them, ``cli`` is the command ``lmwire-codegen``.
``importer`` turns upstream's own export into ``schema/wire``. Nothing at run time imports this package.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "1"
"""Version of the generated code's layout; written into its ``revision`` module."""
