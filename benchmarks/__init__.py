"""What a user of lmwire pays, measured against what other clients cost: ``python -m benchmarks``, or ``make bench``."""
