"""The style of DESIGN's kernels, enforced over the syntax trees of every folder of kernels."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path
    for folder in ("kernels", "render_kernels")
    for path in (ROOT / "sim" / folder).glob("*.py")
    if path.name != "__init__.py"
)
GROUPS = ("# World", "# State", "# In", "# Out")


def is_kernel(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(d).startswith("wp.kernel") for d in node.decorator_list
    )


def kernels(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and is_kernel(node)]


def test_there_are_kernels_to_check() -> None:
    assert sum(len(kernels(path)) for path in FILES) > 10


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_modules_switch_the_backward_pass_off_once_at_the_top(path: Path) -> None:
    text = path.read_text()
    settings = re.findall(r'"enable_backward": (\w+)', text)
    assert settings == ["False"], f"{path.name} compiles adjoints that nobody uses"
    setting = re.search(r'^wp\.set_module_options\(\{"enable_backward": False(, "\w+": \d+)*\}\)$', text, re.MULTILINE)
    first = re.search(r"^@wp\.", text, re.MULTILINE)
    assert setting and (first is None or setting.start() < first.start())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_kernels_stand_at_module_level(path: Path) -> None:
    tree = ast.parse(path.read_text())
    nested = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and is_kernel(n)]
    assert nested == [k.name for k in kernels(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_arguments_are_grouped_and_outputs_are_named_out(path: Path) -> None:
    lines = path.read_text().splitlines()
    for kernel in kernels(path):
        group = None
        for argument in kernel.args.args:
            above = lines[argument.lineno - 2].strip()
            if above.startswith("#"):
                found = [g for g in GROUPS if above.startswith(g)]
                assert found, f"{path.name}: {kernel.name} has a group {above!r}, expected one of {GROUPS}"
                group = found[0]
            assert group, f"{path.name}: {kernel.name}({argument.arg}) stands in no group"
            if group == "# Out":
                assert argument.arg.endswith("_out"), f"{path.name}: output {argument.arg} of {kernel.name} lacks _out"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_kernels_write_only_to_state_and_outputs(path: Path) -> None:
    """A subscript assignment to a kernel's array argument must be to one under `# State` or `# Out`."""
    lines = path.read_text().splitlines()
    for kernel in kernels(path):
        group, group_of = "", {}
        for argument in kernel.args.args:
            above = lines[argument.lineno - 2].strip()
            group = above if above.startswith("#") else group
            group_of[argument.arg] = group
        for node in ast.walk(kernel):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                    written = group_of.get(target.value.id)
                    assert written is None or written.startswith(("# State", "# Out")), (
                        f"{path.name}: {kernel.name} writes {target.value.id}, which is under {written!r}"
                    )


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_kernels_allocate_no_arrays(path: Path) -> None:
    for kernel in kernels(path):
        called = {ast.unparse(n.func) for s in kernel.body for n in ast.walk(s) if isinstance(n, ast.Call)}
        assert not called & {"wp.zeros", "wp.empty", "wp.full", "wp.array"}, (path.name, kernel.name)
