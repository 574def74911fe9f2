"""YAML files → one tree, with where each value came from."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from attrs import define, field

from packeton.config.conditions import holds
from packeton.config.environment import interpolate
from packeton.errors import ConfigurationInvalid

__all__ = ["Tree", "files_of", "read_tree"]

MAX_FILE_BYTES = 4 << 20
KNOWN = frozenset({"packeton", "parameters", "resolve"})


@define
class Tree:
    """Merged configuration: plain values, and `file:line` by dotted path."""

    values: dict[str, Any] = field(factory=dict)
    origins: dict[str, str] = field(factory=dict)

    def merge(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        """Merge *values* over what is there: maps deeply, everything else replaces."""
        _merge(self.values, values)
        self.origins.update(origins)


def files_of(path: Path) -> list[Path]:
    """Return the YAML files that *path* stands for: itself, or those in it by name. Raises ConfigurationInvalid."""
    try:
        if not path.is_dir():
            return [path]
        return sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.is_file())
    except OSError as error:
        raise ConfigurationInvalid(f"{path}: {error.strerror}") from error


def read_tree(files: Iterable[Path], environment: Mapping[str, str]) -> Tree:
    """
    Read and merge *files*, resolve conditional blocks, and put environment and parameters in.

    Raises:
        ConfigurationInvalid: naming file and line, or the option's path.
    """
    tree = Tree()
    for file in files:
        tree.merge(*_read_file(file))
    _resolve_blocks(tree, environment)
    for key in tree.values:
        if key not in KNOWN:
            raise _invalid(tree, key, "unknown section; the reference's framework sections are not supported")
    parameters = _mapping(tree, "parameters", tree.values.get("parameters"))
    packeton = _mapping(tree, "packeton", tree.values.get("packeton"))
    tree.values = {"packeton": _interpolated(tree, "packeton", packeton, environment, parameters)}
    return tree


def _read_file(file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationInvalid(f"{file}: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationInvalid(f"{file}: is larger than {MAX_FILE_BYTES} bytes")
    origins: dict[str, str] = {}
    try:
        loader = yaml.SafeLoader(content)
        node = loader.get_single_node()
        values = {} if node is None else _build(loader, node, "", file, origins)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigurationInvalid(f"{file}{line}: {getattr(error, 'problem', None) or 'is no YAML'}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationInvalid(f"{file}:1: must be a map")
    return values, origins


def _build(loader: yaml.SafeLoader, node: yaml.Node, path: str, file: Path, origins: dict[str, str]) -> Any:
    where = f"{file}:{node.start_mark.line + 1}"
    if path:
        origins[path] = where
    if isinstance(node, yaml.MappingNode):
        _refuse_twins(node, path, file)
        loader.flatten_mapping(node)
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            built[key] = _build(loader, value_node, f"{path}.{key}" if path else key, file, origins)
        return built
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, f"{path}[{index}]", file, origins) for index, item in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def _refuse_twins(node: yaml.MappingNode, path: str, file: Path) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            name = f"{path}.{key.value}" if path else key.value
            raise ConfigurationInvalid(f"{name}: stands twice ({file}:{key.start_mark.line + 1})")
        if isinstance(key.value, str):
            seen.add(key.value)


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _resolve_blocks(tree: Tree, environment: Mapping[str, str]) -> None:
    blocks = tree.values.pop("resolve", None)
    if blocks is None:
        return
    blocks = _mapping(tree, "resolve", blocks)
    named = {"": blocks} if "expression" in blocks else blocks
    for name, given in named.items():
        path = f"resolve.{name}" if name else "resolve"
        block = _mapping(tree, path, given)
        expression = block.get("expression")
        if not isinstance(expression, str):
            raise _invalid(tree, path, "must have an expression")
        try:
            applies = holds(expression, environment)
        except ValueError as error:
            raise _invalid(tree, f"{path}.expression", str(error)) from error
        if not applies:
            continue
        if block.get("services"):
            raise _invalid(tree, f"{path}.services", "services of the reference's framework are not supported")
        content = {key: value for key, value in block.items() if key not in {"expression", "services"}}
        origins = {key.removeprefix(f"{path}."): place for key, place in tree.origins.items()}
        tree.merge(content, {key: place for key, place in origins.items() if not key.startswith("resolve")})


def _interpolated(
    tree: Tree, path: str, value: Any, environment: Mapping[str, str], parameters: Mapping[str, Any]
) -> Any:
    if isinstance(value, dict):
        return {
            key: _interpolated(tree, f"{path}.{key}", inner, environment, parameters) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _interpolated(tree, f"{path}[{index}]", inner, environment, parameters) for index, inner in enumerate(value)
        ]
    try:
        return interpolate(value, environment, parameters)
    except ValueError as error:
        raise _invalid(tree, path, str(error)) from error


def _mapping(tree: Tree, path: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(tree, path, "must be a map")
    return value


def _invalid(tree: Tree, path: str, message: str) -> ConfigurationInvalid:
    place = tree.origins.get(path)
    return ConfigurationInvalid(f"{path}: {message}" + (f" ({place})" if place else ""))
