"""The models that the emulator has downloaded unless it is given others. All of them are invented.

Some are there to go wrong: their keys say how.
"""

from __future__ import annotations

from typing import Any, Final

from lmwire_emulator.faults import CloseWithoutResult, DropTheConnection, Fail, Hang, UnloadTheModel
from lmwire_emulator.models import LoadPlan, Model, Quantization

__all__ = ["DEFAULT_CATALOGUE", "DEFAULT_MODEL_KEY"]

DEFAULT_MODEL_KEY: Final = "emulator/ngram-small"

_MEGABYTE: Final = 1_000_000


def _faulty(name: str, **how: Any) -> Model:
    return Model(
        model_key=f"emulator/{name}",
        path=f"emulator/{name}-GGUF/{name}-F16.gguf",
        display_name=name.replace("-", " ").capitalize(),
        publisher="emulator",
        format="gguf",
        size_bytes=1 * _MEGABYTE,
        domain="llm",
        max_context_length=2_048,
        default_context_length=2_048,
        architecture="ngram",
        engine="ngram",
        **how,
    )


_FAULTY: Final = (
    _faulty(
        "fails-to-load",
        loading=LoadPlan(
            progress=(0.0, 0.25, 0.5),
            fault=Fail(
                {
                    "title": "Failed to load the model",
                    "cause": "This model is made to fail half way.",
                    "suggestion": "Load another model.",
                }
            ),
        ),
    ),
    _faulty(
        "too-large",
        loading=LoadPlan(
            progress=(),
            fault=Fail(
                {
                    "title": "The model needs more memory than there is",
                    "cause": "This model is made to be refused before it is loaded.",
                    "suggestion": "Load a smaller model.",
                    "errorData": {"requiredBytes": 10**15, "availableBytes": 10**10},
                }
            ),
        ),
    ),
    _faulty(
        "fails-in-mid-stream",
        fault=Fail(
            {
                "title": "Failed to go on with the prediction",
                "cause": "This model is made to fail in the middle of a text.",
                "suggestion": "Ask another model.",
            }
        ),
    ),
    _faulty("closes-in-mid-stream", fault=CloseWithoutResult()),
    _faulty("hangs-in-mid-stream", fault=Hang()),
    _faulty("drops-in-mid-stream", fault=DropTheConnection()),
    _faulty("unloads-in-mid-stream", fault=UnloadTheModel()),
)

DEFAULT_CATALOGUE: Final = (
    Model(
        model_key="emulator/ngram-small",
        path="emulator/ngram-small-GGUF/ngram-small-Q8_0.gguf",
        display_name="Ngram Small",
        publisher="emulator",
        format="gguf",
        size_bytes=3 * _MEGABYTE,
        domain="llm",
        max_context_length=32_768,
        params_string="100K",
        architecture="ngram",
        quantization=Quantization(name="Q8_0", bits=8),
        engine="ngram",
    ),
    # The same repository as above: asked for by its path without a file, both match.
    Model(
        model_key="emulator/ngram-small@q4_k_m",
        path="emulator/ngram-small-GGUF/ngram-small-Q4_K_M.gguf",
        display_name="Ngram Small",
        publisher="emulator",
        format="gguf",
        size_bytes=2 * _MEGABYTE,
        domain="llm",
        max_context_length=32_768,
        params_string="100K",
        architecture="ngram",
        quantization=Quantization(name="Q4_K_M", bits=4),
        engine="ngram",
    ),
    Model(
        model_key="emulator/ngram-vision",
        path="emulator/ngram-vision-MLX/model.safetensors",
        display_name="Ngram Vision",
        publisher="emulator",
        format="safetensors",
        size_bytes=5 * _MEGABYTE,
        domain="llm",
        max_context_length=8_192,
        architecture="ngram",
        vision=True,
        trained_for_tool_use=True,
        engine="ngram",
    ),
    Model(
        model_key="emulator/ngram-reasoning",
        path="emulator/ngram-reasoning-GGUF/ngram-reasoning-Q8_0.gguf",
        display_name="Ngram Reasoning",
        publisher="emulator",
        format="gguf",
        size_bytes=3 * _MEGABYTE,
        domain="llm",
        max_context_length=32_768,
        params_string="100K",
        architecture="ngram",
        quantization=Quantization(name="Q8_0", bits=8),
        engine="ngram-reasoning",
    ),
    Model(
        model_key="emulator/embed-small",
        path="emulator/embed-small-GGUF/embed-small-F16.gguf",
        display_name="Embed Small",
        publisher="emulator",
        format="gguf",
        size_bytes=4 * _MEGABYTE,
        domain="embedding",
        max_context_length=2_048,
        default_context_length=2_048,
        architecture="hashing",
        quantization=Quantization(name="F16", bits=16),
    ),
    *_FAULTY,
)
