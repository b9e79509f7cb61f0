"""What friendly methods are made of: streams, loads, structured output, options. No endpoint, packet or
option is named here.

The compiler writes plans and option tables from ``schema/surface``; the modules here carry them out.
``streams`` and ``loading`` run the plans, ``options`` turns what a caller writes into the fields of a KV
config and reads a server's config back.
"""
