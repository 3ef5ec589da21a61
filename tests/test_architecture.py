"""The house rules, read off the source: who may import whom, fences, flat folders, size of files, the README's map."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("configs", "sim", "perception", "planning", "agents", "pipelines")
FENCES = {
    "warp": {"sim"},
    "ray": {"pipelines"},
    "gymnasium": {"agents"},
    "stable_baselines3": {"agents"},
    "torchvision": {"perception"},
    "tyro": {"pipelines"},
    "argparse": {"pipelines"},
    "pickle": set(),
}
SUBFOLDERS = {
    "configs": {"scenarios"},
    "sim": {
        "kernels",
        "mapfiles",
        "meshes",
        "painting",
        "rendering",
        "render_kernels",
        "roadgen",
        "roads",
        "scenarios",
    },
    "perception": {"weights"},
    "agents": {"weights"},
    "pipelines": {"datasets", "verdicts", "view"},
}
MAX_LINES = 500
SOURCES = sorted(path for folder in ORDER for path in (ROOT / folder).rglob("*.py"))


def imports_of(path):
    """Top-level names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").split(".")[0]


def modules_of(path):
    """Full names of all modules of ours that a file imports when it runs, so not those for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ORDER:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in ORDER)


def folder_of(path):
    return path.relative_to(ROOT).parts[0]


def test_sources_exist_in_every_folder():
    assert {folder_of(path) for path in SOURCES} == set(ORDER)
    assert len(SOURCES) > 40


@pytest.mark.parametrize("folder", ORDER)
def test_imports_point_left(folder):
    allowed = set(ORDER[: ORDER.index(folder) + 1])
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in SOURCES
        if folder_of(path) == folder
        for name in imports_of(path)
        if name in ORDER and name not in allowed
    }
    assert not wrong


def test_no_source_imports_tests():
    assert not [path for path in SOURCES if "tests" in set(imports_of(path))]


@pytest.mark.parametrize("package", FENCES)
def test_fences(package):
    users = {folder_of(path) for path in SOURCES if package in set(imports_of(path))}
    assert users <= FENCES[package]


def test_modules_form_no_cycle():
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
    graph = {name: {m for m in modules_of(path) if m in names and m != name} for name, path in names.items()}
    finished: set[str] = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in finished:
            for other in sorted(graph[name]):
                visit(other, [*trail, name])
            finished.add(name)

    for name in graph:
        visit(name, [])


def test_init_files_are_empty():
    packages = {path.parent for path in SOURCES}
    assert all((package / "__init__.py").is_file() for package in packages)
    assert [path for path in SOURCES if path.name == "__init__.py" and path.stat().st_size] == []


def test_folders_are_flat():
    for folder in ORDER:
        inside = {path.name for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"}
        assert inside <= SUBFOLDERS.get(folder, set()), folder


def test_files_stay_readable():
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > MAX_LINES}
    assert not long


def test_public_functions_are_annotated():
    missing = []
    for path in SOURCES:
        if {"kernels", "render_kernels"} & set(path.parts):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if node.returns is None or any(a.annotation is None for a in arguments):
                    missing.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not missing


def test_readme_lists_every_file():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sources = [path for path in SOURCES if path.name != "__init__.py"]
    presets = sorted((ROOT / "configs").glob("*.yaml"))
    absent = [str(p.relative_to(ROOT)) for p in [*sources, *presets] if f"`{p.relative_to(ROOT)}`" not in readme]
    assert not absent, f"add a line for each to README.md's file map: {absent}"


def test_packages_are_listed_for_the_wheel():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(ORDER)
