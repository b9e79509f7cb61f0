"""Every type of the schema against the generated code: round trips, near-misses, odd values, objects made by hand.

What has to come out is worked out here from ``schema/wire`` itself (``reference.py``), not from the compiler's model.
"""
