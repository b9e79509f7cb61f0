"""The conformance kit: named checks of the protocol, for servers at an address and for clients that a command starts.

A check is data (``checks``): a name, what it does, the section of the protocol's description that it is about, and what
it needs. ``server_checks_*`` have those of servers, which get raw frames (``raw``); ``client_checks`` those of clients,
which talk to a server that is made to misbehave (``scripted_server``). ``report`` prints what came of it.
"""
