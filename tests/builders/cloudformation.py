"""A CloudFormation template as plain values: ``!Ref X`` becomes ``{"Ref": "X"}``, ``!Sub`` likewise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


_QUICK: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of libyaml, ten times as quick, where PyYAML was built with it."""


class _Loader(_QUICK):
    pass


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


def template(path: str) -> dict[str, Any]:
    """The template at a path of the repository."""
    loaded: dict[str, Any] = yaml.load((ROOT / path).read_text(encoding="utf-8"), _Loader)
    return loaded


def of_type(loaded: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Logical id → properties of the resources of a type."""
    return {
        name: resource.get("Properties", {})
        for name, resource in loaded["Resources"].items()
        if resource["Type"] == kind
    }


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a role allows."""
    for policy in role["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def inside(value: Any, key: str) -> Iterator[Any]:
    """Every value under a key, at any depth."""
    if isinstance(value, dict):
        for name, held in value.items():
            if name == key:
                yield held
            yield from inside(held, key)
    elif isinstance(value, list):
        for held in value:
            yield from inside(held, key)
