"""Programs in the manner of LM Studio's documentation, each topic in its convenience, scoped and asyncio form.

They are written as users write, with nothing of lmwire's own; type checkers see them too. ``run_form`` runs one form.
"""
