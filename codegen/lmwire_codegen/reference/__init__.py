"""The protocol's reference in Markdown, of the same model that the bindings are made of.

``words`` says what a type is, ``blocks`` what a message, union or enum is, ``usage`` where it travels; ``pages`` joins
all that with example frames;
``markdown`` sees to it that text of the schema stays text.
"""
