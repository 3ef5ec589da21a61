"""Reads, checks and writes the configuration tree: defaults < command's base < file < --set < flags."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from configs.schema import Experiment

PRESETS = Path(__file__).resolve().parent.parent / "configs"


def load_experiment(
    file: Path | None = None,
    assignments: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
) -> Experiment:
    """Resolve the tree of one job.

    `base` and `flags` map dotted keys to values (flags that are None are skipped), `assignments` are texts `key=value`.
    Raises ValueError naming the key, the value and what is allowed, OSError where the file cannot be read.
    """
    tree: dict[str, Any] = {}
    for key, value in (base or {}).items():
        _put(tree, key, value)
    source = "the command line"
    if file is not None:
        path = _preset(file)
        source = str(path)
        _merge(tree, read_yaml(path))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ValueError(f"--set {assignment!r} is not of the form key=value, as in --set sim.actors=12")
        _put(tree, key, yaml.safe_load(text))
    for key, value in (flags or {}).items():
        if value is not None:
            _put(tree, key, value)
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise ValueError(explain(error, Experiment, source)) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; ValueError naming the line where it is not one."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise ValueError(f"{path}{where}: not valid YAML ({getattr(error, 'problem', error)})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8, so not YAML") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}; expected keys and values, as in `seed: 3`")
    return content


def experiment_yaml(experiment: Experiment) -> str:
    """The resolved tree as YAML, ready to be given to --config again."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)


def explain(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """One line for all problems that pydantic found in a tree read from `source`."""
    return f"{source}: " + "; ".join(_explain_one(problem, model) for problem in error.errors())


def _explain_one(problem: Any, model: type[BaseModel]) -> str:
    parts = [str(part) for part in problem["loc"] if " " not in str(part)]  # the form of a setting is no key
    while parts and parts[-1].startswith("literal["):  # a branch of a union, not a key
        parts.pop()
    key = ".".join(parts)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, _all_keys(model), n=3, cutoff=0.7)
        near += [full for full in _all_keys(model) if full.split(".")[-1] == parts[-1] and full not in near]
        if not near:  # a near key of another section, as in worlds for sim.worlds
            near = [
                k for k in _all_keys(model) if difflib.SequenceMatcher(None, k.split(".")[-1], parts[-1]).ratio() > 0.7
            ]
        hint = f"; did you mean {' or '.join(near[:3])}?" if near else f"; known keys: {', '.join(model.model_fields)}"
        return f"unknown key {key}{hint}"
    return f"{key} = {problem['input']!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _all_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        for section in _sections(field.annotation):
            keys += _all_keys(section, f"{prefix}{name}.")
    return keys


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field's type is, or is made of where it has several forms."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return list(dict.fromkeys(section for part in get_args(annotation) for section in _sections(part)))


def _preset(file: Path) -> Path:
    """The file itself, or the preset of that name (`smoke` or `smoke.yaml`)."""
    if file.exists():
        return file
    preset = PRESETS / file.with_suffix(".yaml").name
    if file.parent == Path(".") and preset.exists():
        return preset
    names = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml")))
    raise FileNotFoundError(f"config file {file} does not exist; presets: {names}")


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        child = tree.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ValueError(f"{dotted}: {parent} is a value, not a section")
        tree = child
    tree[last] = value


def _merge(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value
