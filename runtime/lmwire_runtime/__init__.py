"""The runtime of lmwire: a typed, multiplexing RPC core over WebSockets that knows no endpoint by name.

Import what you need from the modules; ``lmwire`` re-exports what its users need.
"""
