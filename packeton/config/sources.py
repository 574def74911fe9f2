"""
YAML files → one tree, with where each value came from.

Scalars are read as Symfony's YAML reads them: only `true` and `false` are truth values (`yes`, `no`, `on` and `off` are
text), numbers are decimal or 0x or 0o, and a date is text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from attrs import define

from packeton.config.conditions import holds
from packeton.config.environment import interpolate
from packeton.config.framework import translate
from packeton.config.tree import Tree
from packeton.errors import ConfigurationInvalid

__all__ = ["files_of", "read_tree"]

MAX_FILE_BYTES: Final = 4 << 20
MAX_NODES: Final = 100_000
"""Of one file, aliases resolved."""
MAX_DEPTH: Final = 50
KNOWN: Final = frozenset({"packeton", "parameters"})
UNKNOWN: Final = "unknown section; of the framework's sections some options are read, see docs/moving.md"
VARIABLES: Final = re.compile(r"%env\((?:[^()%]*:)?(\w+)\)%")


class _Loader(yaml.SafeLoader):
    """Makes of plain scalars what Symfony's Yaml component does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # the library's own table, replaced


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9][0-9_]*)?\.[0-9]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|INF)|\.(?:nan|NAN)", "-+0123456789."),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def files_of(path: Path) -> list[Path]:
    """Return the YAML files that *path* stands for: itself, or those in it by name. Raises ConfigurationInvalid."""
    try:
        if not path.is_dir():
            return [path]
        return sorted(file for file in path.iterdir() if _is_yaml(file))
    except OSError as error:
        raise ConfigurationInvalid(f"{path}: {error.strerror}") from error


def _is_yaml(file: Path) -> bool:
    return file.suffix in {".yaml", ".yml"} and not file.name.startswith(".") and file.is_file()


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
    translate(tree)
    for key in tree.values:
        if key not in KNOWN:
            raise tree.invalid(key, UNKNOWN)
    parameters = tree.mapping("parameters", tree.values.get("parameters"))
    packeton = tree.mapping("packeton", tree.values.get("packeton"))
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
        loader = _Loader(content)
        node = loader.get_single_node()
        values = {} if node is None else _Builder(loader, file, origins).build(node, "")
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigurationInvalid(f"{file}{line}: {getattr(error, 'problem', None) or 'is no YAML'}") from error
    except RecursionError as error:
        raise ConfigurationInvalid(f"{file}: is nested too deeply") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationInvalid(f"{file}:1: must be a map")
    return values, origins


@define
class _Builder:
    """Makes plain values of the nodes of one file, and notes their lines."""

    _loader: _Loader
    _file: Path
    _origins: dict[str, str]
    _left: int = MAX_NODES

    def build(self, node: yaml.Node, path: str, depth: int = 0) -> Any:
        """Return the value of *node*. Raises ConfigurationInvalid, or YAMLError."""
        where = f"{self._file}:{node.start_mark.line + 1}"
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise ConfigurationInvalid(f"{where}: too much in one file, or nested too deeply")
        if path:
            self._origins[path] = where
        if isinstance(node, yaml.MappingNode):
            self._refuse_twins(node, path)
            self._loader.flatten_mapping(node)
            return dict(self._members(node, path, depth))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value)]
        return self._loader.construct_object(node, deep=True)

    def _members(self, node: yaml.MappingNode, path: str, depth: int) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigurationInvalid(f"{self._file}:{key_node.start_mark.line + 1}: a key must be text")
            key = key_node.value
            yield key, self.build(value_node, f"{path}.{key}" if path else key, depth + 1)

    def _refuse_twins(self, node: yaml.MappingNode, path: str) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in seen:
                name = f"{path}.{key.value}" if path else key.value
                raise ConfigurationInvalid(f"{name}: stands twice ({self._file}:{key.start_mark.line + 1})")
            if isinstance(key.value, str) and key.tag != "tag:yaml.org,2002:merge":
                seen.add(key.value)


def _resolve_blocks(tree: Tree, environment: Mapping[str, str]) -> None:
    """
    Merge the conditional blocks that apply below what the files say plainly; of several, the first one wins.

    Source: the reference's ResolveExtension, which prepends a block's sections.
    """
    blocks = tree.values.pop("resolve", None)
    for path, block in _blocks(tree, "resolve", blocks):
        expression = block.get("expression")
        if not isinstance(expression, str):
            raise tree.invalid(f"{path}.expression", "must be text")
        try:
            applies = holds(expression, environment)
        except ValueError as error:
            raise tree.invalid(f"{path}.expression", str(error)) from error
        if not applies:
            continue
        content = {key: tree.mapping(f"{path}.{key}", value) for key, value in block.items() if key != "expression"}
        tree.merge_below(content, {key.removeprefix(f"{path}."): place for key, place in tree.origins.items()})


def _blocks(tree: Tree, path: str, given: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the blocks in one block, or in named ones at any depth."""
    blocks = tree.mapping(path, given)
    if "expression" in blocks:
        yield path, blocks
        return
    for name, inner in blocks.items():
        if not isinstance(inner, dict):
            raise tree.invalid(f"{path}.{name}", "must be a block with an expression")
        yield from _blocks(tree, f"{path}.{name}", inner)


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
    if not isinstance(value, str) or "%" not in value:
        return value
    variables = dict.fromkeys(VARIABLES.findall(value))
    if variables or "%" in value.replace("%%", ""):  # a parameter may hold what a variable does
        tree.from_environment.add(path)
    if variables:
        tree.origins[path] = f"{tree.origins.get(path, '')}, environment {', '.join(variables)}".removeprefix(", ")
    try:
        return interpolate(value, environment, parameters)
    except ValueError as error:
        raise tree.invalid(path, str(error)) from error
