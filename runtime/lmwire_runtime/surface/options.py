"""Option tables: what a caller writes becomes the fields of a KV config, and a server's fields become a config object.

A table is generated from ``schema/surface/options``; nothing here knows an option by name. Callers may give

* an object of the table's config class, or a dict with camelCase or snake_case names, or None for nothing at all;
* UNSET, or leaving an option out: nothing is sent;
* False or None for an option that can be off: that is sent. For any other option None is the same as leaving it out,
  and False is an error unless the option is a boolean.

What wins where several things set the same key: an option that was given; then the config's ``extra`` (what a server
sent and no attribute can hold); then a whole config among the options; then what an option or a rule merely implies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from lmwire_runtime.errors import UsageError
from lmwire_runtime.surface.option_encodings import BASE, CHOSEN, IMPLIED, Encoded, Option
from lmwire_runtime.surface.option_kinds import MisfitError, Setting, plain_json
from lmwire_runtime.surface.option_names import Name, Spellings
from lmwire_runtime.surface.option_rules import Clear, Rule
from lmwire_runtime.wire import UNSET, WarningSink

__all__ = ["OptionTable"]

C = TypeVar("C", bound=Setting)


class OptionTable(Generic[C]):
    """The options of one kind of request.

    Attributes:
        name: Of the table.
        config_class: The class that ``from_fields`` makes.
        options: The rows, in the order in which they are sent.
        rules: What several options have to fulfil together.
        clears: What is sent along with some options.
    """

    def __init__(
        self,
        *,
        name: str,
        config_class: type[C],
        options: Sequence[Option],
        rules: Sequence[Rule] = (),
        clears: Sequence[Clear] = (),
    ) -> None:
        self.name: Final = name
        self.config_class: Final = config_class
        self.options: Final = tuple(options)
        self.rules: Final = tuple(rules)
        self.clears: Final = tuple(clears)
        self._by_name = {option.name: option for option in self.options}
        self._by_key = {key: option for option in self.options for key in option.keys}
        self._spellings = Spellings(
            Name(option.name, option.attribute, option.keys, option.reported) for option in self.options
        )
        self._sink = WarningSink()
        config_class.wire_form = self._wire_form

    def _wire_form(self, config: object) -> dict[str, Any]:
        return {"fields": self.to_fields(config)}

    def __repr__(self) -> str:
        return f"OptionTable({self.name!r}, {len(self.options)} options)"

    def option(self, name: str) -> Option:
        """Return the row of an option by its camelCase name.

        Raises:
            KeyError: There is no such option.
        """
        return self._by_name[name]

    def key_of(self, name: str) -> str:
        """Return the only key that the option ``name`` (camelCase) sets.

        Raises:
            KeyError: There is no such option.
            ValueError: It sets several keys, or any.
        """
        (key,) = self._by_name[name].keys
        return key

    def to_fields(self, config: object = None, *, refuses: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the fields that say what ``config`` says: plain JSON, each key once, in the table's order.

        Keys of a whole config and of ``extra`` that no option overrides come first.

        Args:
            config: A config object, a dict, or None for nothing.
            refuses: camelCase names of options of this table that the request does not take. They may be switched off;
                one that says what holds without it is left out.

        Raises:
            UsageError: A name is unknown (the nearest right one is named) or given in both spellings; a value is of the
                wrong kind or out of its range; options contradict each other; or one is refused.
        """
        given = self._given(config)
        self._leave_out(refuses, given)
        try:
            fields = self._merge(given, config.extra if isinstance(config, Setting) else {})
        except MisfitError as error:
            raise UsageError(str(error)) from None
        for rule in self.rules:
            rule.check(given)
        return [
            {"key": key} if value is UNSET else {"key": key, "value": value} for key, value in fields.items()
        ]

    def from_fields(self, fields: Iterable[Any], *, sink: WarningSink | None = None) -> C:
        """Return a server's fields as a config object; never fails over what they hold.

        A box that is not checked becomes False. What no attribute can hold is kept in ``extra`` by its key: keys that
        this revision does not know, silently, and values that do not fit their option, with one warning for each key.
        A key that comes twice has its last value.

        Args:
            fields: Dicts ``{"key": ..., "value": ...}``, or messages with that wire form.
            sink: Where warnings go; by default the logger ``lmwire``, once for each key.
        """
        sink = sink or self._sink
        values = self._values_of(fields, sink)
        attributes: dict[str, Any] = {}
        kept = {key: value for key, value in values.items() if key not in self._by_key}
        for option in self.options:
            mine = {key: values[key] for key in option.keys if values.get(key, UNSET) is not UNSET}
            if not mine:
                continue
            decoded = option.decode(mine)
            if decoded.value is not UNSET:
                attributes[option.attribute] = decoded.value
            for key, why in decoded.left.items():
                kept[key] = mine[key]
                sink.warn(
                    ("option", self.name, key), f"config key {key!r}: {why}; the value is kept in `extra`"
                )
        config = self.config_class(extra={key: kept[key] for key in values if key in kept})
        for attribute, value in attributes.items():
            setattr(config, attribute, value)
        return config

    def _leave_out(self, names: Sequence[str], given: dict[str, Any]) -> None:
        """Take options that a request does not take out of ``given`` if they say what holds without them.

        So a config that a server has reported can be given again. One that is switched off does no harm, and passes.
        """
        refused = []
        for name in names:
            if name in given and not (given[name] is False and self._by_name[name].can_be_off):
                if not self._is_default(name, given[name]):
                    refused.append(name)
                del given[name]
        if refused:
            word = "option" if len(refused) == 1 else "options"
            raise UsageError(
                f"this request does not take the {word} {', '.join(map(repr, refused))}; nothing was sent"
            )

    def _is_default(self, name: str, value: Any) -> bool:
        option = self._by_name[name]
        try:
            return option.default is not UNSET and [*option.encode(value)] == [*option.encode(option.default)]
        except MisfitError:
            return False

    def _given(self, config: object) -> dict[str, Any]:
        """Return the normal value of each option that was given, by name."""
        if config is None:
            return {}
        if isinstance(config, self.config_class):
            values = {option.name: getattr(config, option.attribute) for option in self.options}
        elif isinstance(config, Mapping):
            values = self._spellings.resolve(config)
        else:
            raise UsageError(
                f"config must be a {self.config_class.__name__}, a dict or None; got {type(config).__name__}"
            )
        normal = {
            name: self._by_name[name].normal(value) for name, value in values.items() if value is not UNSET
        }
        return {name: value for name, value in normal.items() if value is not UNSET}

    def _merge(self, given: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        encoded: list[Encoded] = []
        for option in self.options:
            if option.name in given:
                encoded.extend(option.encode(given[option.name]))
        for clear in self.clears:
            if not given.keys().isdisjoint(clear.when):
                encoded.extend((key, value, IMPLIED) for key, value in clear.fields.items())
        base = {key: value for key, value, strength in encoded if strength == BASE}
        base |= {
            key: value if value is UNSET else plain_json(value, f"extra.{key}")
            for key, value in extra.items()
        }
        chosen = {key: value for key, value, strength in encoded if strength == CHOSEN}
        implied = {key: value for key, value, strength in encoded if strength == IMPLIED}
        ordered = [key for key, _, strength in encoded if strength != BASE]
        merged = {**implied, **base, **chosen}
        return {key: merged[key] for key in [*(key for key in base if key not in ordered), *ordered]}

    @staticmethod
    def _values_of(fields: Iterable[Any], sink: WarningSink) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for field in fields:
            plain = field.to_wire() if callable(getattr(field, "to_wire", None)) else field
            if isinstance(plain, Mapping) and isinstance(plain.get("key"), str):
                values[plain["key"]] = plain.get("value", UNSET)
            else:
                sink.warn(
                    ("option", "field"), f"a config has a field without a key; it is left out: {plain!r:.100}"
                )
        return values
