"""What differs in meaning between two revisions of the protocol, whom it breaks, and what it means to the surface.

``compare`` walks both models, ``relation`` relates types, ``rules`` is the table of who is broken by what, ``touched``
looks at the surface, ``human`` at what the tool cannot decide, and ``render`` makes text, Markdown or JSON of it all.
"""
