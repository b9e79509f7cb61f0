"""Resolves all of ``schema/surface`` against a revision, and finds what of it a new revision no longer fits."""

from __future__ import annotations

import attrs

from lmwire_codegen.history import History
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import Model
from lmwire_codegen.namespace_model import NamespaceSurface
from lmwire_codegen.options import OptionPackage, build_options, check_references
from lmwire_codegen.problems import SchemaProblems
from lmwire_codegen.surface import build_namespaces, build_surfaces
from lmwire_codegen.surface_model import Surface
from lmwire_codegen.surface_names import SurfaceNames

__all__ = ["Resolved", "misfits", "resolve_surface"]


@attrs.frozen
class Resolved:
    """The files that have a handle, those that have none, and the tables of options."""

    surfaces: tuple[Surface, ...]
    namespaces: tuple[NamespaceSurface, ...]
    options: OptionPackage


def resolve_surface(model: Model, folder: SchemaFolder, names: SurfaceNames) -> Resolved:
    """Resolve the surface of ``folder`` against ``model``.

    Args:
        model: The package.
        folder: The schema folder that has the surface.
        names: Takes what was looked up and left out, and says what may be.

    Raises:
        SchemaProblems: Something in it is wrong, and not excused.
    """
    surfaces = build_surfaces(model, folder.surface, names)
    options = build_options(folder.options)
    namespaces = build_namespaces(model, folder.surface, names)
    check_references(options, (*surfaces, *namespaces))
    return Resolved(surfaces, namespaces, options)


def misfits(old: Model, new: Model, folder: SchemaFolder, history: History) -> tuple[str, ...]:
    """Return the places of a surface that fit the revision ``old`` and do not fit ``new``.

    Args:
        old: The revision that the folder is about now.
        new: The one that it is going to be about.
        folder: The schema folder.
        history: The history with the new revision in it.

    Raises:
        SchemaProblems: The surface is wrong, and was before; these are the problems with the new revision.
    """
    try:
        resolve_surface(new, folder, SurfaceNames(history=history, excused=()))
    except SchemaProblems as problems:
        try:
            resolve_surface(old, folder, SurfaceNames(history=folder.history))
        except SchemaProblems:
            raise problems from None
    names = SurfaceNames(history=history, excused=None)
    resolve_surface(new, folder, names)
    return tuple(sorted(map(str, names.unfit)))
