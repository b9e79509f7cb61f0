"""Decoding and encoding of single messages: lmwire's generated code, msgspec structs, cattrs on attrs classes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import cattrs
import cattrs.gen
import msgspec

from lmwire import llm

PACKETS = json.loads((Path(__file__).parents[1] / "packets.json").read_text(encoding="utf-8"))
SUCCESS = PACKETS["success"]
SAMPLES = {
    "fragment": PACKETS["fragment"]["fragment"],
    "stats": SUCCESS["stats"],
    "instance-info": SUCCESS["modelInfo"],
    "config": SUCCESS["predictionConfig"],
}
CLASSES = {
    "fragment": llm.LlmPredictionFragment,
    "stats": llm.LlmPredictionStats,
    "instance-info": llm.LlmInstanceInfo,
    "config": llm.KvConfig,
}
# The fields that the others get, as far as the samples have them.
FIELDS: dict[str, dict[str, Any]] = {
    "fragment": {
        "content": str,
        "tokens_count": int,
        "contains_drafted": bool,
        "reasoning_type": str,
        "is_structural": bool,
    },
    "stats": {
        "stop_reason": str,
        "tokens_per_second": float,
        "num_gpu_layers": float,
        "time_to_first_token_sec": float,
        "total_time_sec": float,
        "prompt_tokens_count": int,
        "predicted_tokens_count": int,
        "total_tokens_count": int,
    },
    "instance-info": {
        "type": str,
        "model_key": str,
        "format": str,
        "display_name": str,
        "publisher": str,
        "path": str,
        "size_bytes": int,
        "indexed_model_identifier": str,
        "device_identifier": str | None,
        "params_string": str,
        "architecture": str,
        "vision": bool,
        "trained_for_tool_use": bool,
        "max_context_length": int,
        "identifier": str,
        "instance_reference": str,
        "ttl_ms": float | None,
        "last_used_time": float | None,
        "context_length": int,
    },
}


def camel(name: str) -> str:
    """Return the wire's name of an attribute."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def of_lmwire(kind: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return decoder and encoder."""
    cls: Any = CLASSES[kind]
    return cls.from_wire, cls.to_wire


def of_msgspec(kind: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return decoder and encoder over a struct with the same fields."""
    if kind == "config":
        field = msgspec.defstruct("Field", [("key", str), ("value", Any)])
        struct = msgspec.defstruct("Config", [("fields", list[field])])  # type: ignore[valid-type]  # made just now
    else:
        struct = msgspec.defstruct("Sample", list(FIELDS[kind].items()), rename="camel")
    return lambda data: msgspec.convert(data, struct), msgspec.to_builtins


def of_cattrs(kind: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return decoder and encoder over an attrs class with the same fields."""
    converter = cattrs.Converter()
    if kind == "config":
        field: Any = attrs.make_class("Field", {"key": attrs.field(type=str), "value": attrs.field()})
        cls = attrs.make_class("Config", {"fields": attrs.field(type=list[field])})
    else:
        cls = attrs.make_class(
            "Sample", {name: attrs.field(type=hint) for name, hint in FIELDS[kind].items()}
        )
        renamed = {name: cattrs.gen.override(rename=camel(name)) for name in FIELDS[kind]}
        converter.register_structure_hook(
            cls,
            cattrs.gen.make_dict_structure_fn(cls, converter, **renamed),  # type: ignore[arg-type]
        )
        converter.register_unstructure_hook(
            cls,
            cattrs.gen.make_dict_unstructure_fn(cls, converter, **renamed),  # type: ignore[arg-type]
        )
    return lambda data: converter.structure(data, cls), converter.unstructure


def main() -> None:
    """``message_codecs.py LIBRARY decode-KIND|encode-KIND``: prints microseconds for each."""
    library, _, (way, _, kind) = sys.argv[1], sys.argv[2], sys.argv[2].partition("-")
    decode, encode = {"lmwire": of_lmwire, "msgspec": of_msgspec, "cattrs": of_cattrs}[library](kind)
    sample = SAMPLES[kind]
    value = decode(sample)
    if encode(value) != sample:
        raise SystemExit(f"{library} makes something else of {kind}: {encode(value)}")
    work, argument = (decode, sample) if way == "decode" else (encode, value)
    best = float("inf")
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(5000):
            work(argument)
        best = min(best, (time.perf_counter() - start) / 5000)
    print(json.dumps({"us": best * 1e6}))


if __name__ == "__main__":
    main()
