"""The values of a JSON file, checked against the dataclasses that say what it holds."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any

from formats.errors import DataError, damaged

_KINDS: dict[Any, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    types.NoneType: "null",
}


def kind_of(value: Any) -> str:
    """What a JSON value is, for people."""
    return _KINDS[type(value)]


class JsonReader:
    """Builds dataclasses of the values of a file. Keys that they don't have are let pass.

    Args:
        name: what messages call the file.
        remedy: what a user can do if it is wrong.
    """

    def __init__(self, name: str, remedy: str) -> None:
        self._name = name
        self._remedy = remedy

    def read(self, kind: Any, values: Mapping[str, Any], key: str = "") -> Any:
        """Builds a dataclass.

        Args:
            kind: the class. Its fields are of JSON's types, of further dataclasses, and of lists,
                dicts, tuples and options of these.
            values: by the names of the fields.
            key: where they stand in the file.

        Raises:
            DataError: a key is missing or of the wrong type.
        """
        hints = typing.get_type_hints(kind)
        read = {}
        for field in dataclasses.fields(kind):
            inner_key = f"{key}.{field.name}" if key else field.name
            if field.name in values:
                read[field.name] = self._value(hints[field.name], values[field.name], inner_key)
            elif _is_required(field):
                expected = _KINDS.get(hints[field.name], "a value")
                raise self._wrong(expected, "no such key", inner_key)
        return kind(**read)

    def _value(self, kind: Any, value: Any, key: str) -> Any:
        """Checks a value against a type, and builds the dataclasses in it."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind is Any:
            return value
        if origin is types.UnionType:
            [inner] = [argument for argument in arguments if argument is not types.NoneType]
            return None if value is None else self._value(inner, value, key)
        if dataclasses.is_dataclass(kind):
            return self.read(kind, self._demand(dict, value, key), key)
        if origin is dict:
            return {
                inner_key: self._value(arguments[1], inner, f"{key}.{inner_key}")
                for inner_key, inner in self._demand(dict, value, key).items()
            }
        if origin is list:
            return [
                self._value(arguments[0], inner, f"{key}[{number}]")
                for number, inner in enumerate(self._demand(list, value, key))
            ]
        if origin is tuple:
            items = self._demand(list, value, key)
            if len(items) != len(arguments):
                raise self._wrong(f"{len(arguments)} items", f"{len(items)}", key)
            return tuple(
                self._value(argument, inner, f"{key}[{number}]")
                for number, (argument, inner) in enumerate(zip(arguments, items, strict=True))
            )
        return self._demand(kind, value, key)

    def _demand(self, kind: Any, value: Any, key: str) -> Any:
        if kind is float and type(value) is int:
            if abs(value) > sys.float_info.max:
                raise self._wrong("a number of 64 bits", "a larger one", key)
            return float(value)
        # Not isinstance: true is no integer here.
        if type(value) is not kind:
            raise self._wrong(_KINDS[kind], kind_of(value), key)
        return value

    def _wrong(self, expected: str, found: str, key: str) -> DataError:
        return damaged(self._name, key, expected=expected, found=found, remedy=self._remedy)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing
