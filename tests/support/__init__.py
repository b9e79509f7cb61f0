"""What tests of every part share: requirements that a machine may not meet, and how they are reported.

A test that needs something a machine may lack says so with a name of the table in ``tests.support.requirements``::

    from tests.support import requires

    @requires("node")
    def test_something(official_node): ...
"""

from tests.support.requirements import Unmet, require, requires

__all__ = ["Unmet", "require", "requires"]
