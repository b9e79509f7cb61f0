"""The one-way layers of lmwire, as a table. ARCHITECTURE.md tells why; ``test_layering`` holds the sources against it.

wire <- messages <- stubs, clients <- emulator <- tools
wire <- session <- shells, surface <- stubs          lmwire <- sdk          nothing <- codegen
"""

from __future__ import annotations

from tests.layers.imports import Rule

SOURCE_ROOTS = ("runtime", "generated", "codegen", "emulator", "tools", "sdk")

# Modules that stand for I/O, waiting or a clock.
_DOING = (
    "asyncio",
    "concurrent",
    "queue",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
)
# What a module of types needs of the standard library.
_TYPING = ("__future__", "collections.abc", "enum", "re", "typing")
# What a module of messages may import: attrs, wire, the package's own base class and shared types; hints besides.
_OWN = ("lmwire.message", "lmwire.revision", "lmwire.types")
_MESSAGES = (*_TYPING, "typing_extensions", "attrs", "lmwire_runtime.wire", *_OWN)

RULES = (
    Rule(
        files=("runtime/lmwire_runtime/wire.py",),
        because="wire is a leaf that every generated module imports",
        only=(*_TYPING, "logging"),
    ),
    Rule(
        files=("runtime/**/*.py",),
        because="the runtime knows no protocol; what it serves is handed in",
        never=("lmwire", "lmwire_codegen", "lmwire_emulator", "lmwire_tools", "lmstudio"),
    ),
    Rule(
        files=tuple(
            f"runtime/lmwire_runtime/{name}.py"
            for name in (
                *("session", "server_session", "descriptors", "errors", "exchanges", "receipts", "refusals"),
                *("signal_session", "server_signals", "signal_values", "patches"),
                *("js_values", "superjson", "superjson_decoding", "superjson_encoding"),
            )
        ),
        because="the session is sans-I/O",
        never=(
            *_DOING,
            "websockets",
            *(f"lmwire_runtime.{name}" for name in ("sync_shell", "sync_link", "async_shell", "async_link")),
            *(
                f"lmwire_runtime.{name}"
                for name in ("transport", "connection", "client_core", "server", "clock")
            ),
        ),
    ),
    Rule(
        files=("runtime/lmwire_runtime/transport.py",),
        because="the transport turns bytes into frames and does no I/O",
        never=_DOING,
    ),
    Rule(
        files=("runtime/**/*.py", "generated/**/*.py"),
        because="websockets' own shells are never used",
        never=("websockets.sync", "websockets.asyncio", "websockets.legacy"),
    ),
    Rule(
        files=tuple(f"generated/lmwire/{name}.py" for name in ("message", "envelope", "types/**/*")),
        because="messages stand on attrs and wire alone",
        only=_MESSAGES,
    ),
    Rule(
        files=("generated/lmwire/*/endpoints/**/*.py",),
        because="an endpoint's messages and descriptor stand on attrs, wire and descriptors alone",
        only=(*_MESSAGES, "lmwire_runtime.descriptors"),
    ),
    Rule(
        files=("generated/**/*.py",),
        because="the generated package stands on the runtime",
        never=("lmwire_codegen", "lmwire_emulator", "lmwire_tools", "lmstudio"),
    ),
    Rule(
        files=("codegen/**/*.py",),
        because="the compiler needs nothing of what it compiles",
        never=("lmwire", "lmwire_emulator", "lmwire_tools", "lmstudio"),
    ),
    Rule(
        files=("emulator/**/*.py",),
        because="the emulator stands on lmwire",
        never=("lmwire_codegen", "lmwire_tools", "lmstudio"),
    ),
    Rule(
        files=("tools/**/*.py",),
        because="the tools stand on lmwire and the emulator",
        never=("lmwire_codegen", "lmstudio"),
    ),
    Rule(
        files=("sdk/**/*.py",),
        because="the drop-in uses lmwire's public surface only",
        never=("lmwire_runtime", "lmwire_codegen", "lmwire_emulator", "lmwire_tools"),
    ),
)
