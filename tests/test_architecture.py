"""The house: which package may import which, how big a module may grow, what may stand at the top level."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("intake", "curation", "review", "datasets", "training", "evaluation", "serving")
PURE = ("statistics", "detectors")
PURE_MODULES = ("vocabulary", "errors", "conversations", "rubrics", "task_options")
FLOOR = ("store", "statistics", "detectors", "access", "jobs")
COMPOSITION = ("backend.__main__", "backend.loop", "backend.wiring")
"""Roots that put stages together; nothing imports them but each other and the command line."""
CONTRACT = (
    "trainer", "trainer.contract", "trainer.learnable", "trainer.told", "trainer.evaluations", "trainer.spaces",
    "trainer.catalogue",
)  # fmt: skip
"""What the backend knows of the trainer: what it is asked, for a run and for a search, what it leaves behind, and which base
models are well known."""
KNOWS_THE_CONTRACT = ("jobs", "training", "evaluation")
HEAVY = {"torch", "transformers", "peft"}
TOP_LEVEL = {
    "app.py", "pages", "backend", "trainer", "tests", "requirements.txt", "requirements-dev.txt", "requirements-cluster.txt",
    "README.md", "Makefile", "Procfile", "pyproject.toml", "CHANGELOG.md", "LICENSE",
}  # fmt: skip


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file of every module of the product."""
    found = {}
    for top in ("backend", "trainer", "pages"):
        for path in (ROOT / top).rglob("*.py"):
            if "migrations" not in path.parts:
                found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    found["app"] = ROOT / "app.py"
    return found


@cache
def imports(name: str) -> frozenset[str]:
    """Every module that `name` imports, at the top or inside a function."""
    path = modules()[name]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                pytest.fail(f"{path}: relative imports hide where a line belongs")
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in modules())
    return frozenset(found)


def package(name: str) -> str:
    """The room of a backend module: its package below `backend`, or its own name."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def below(name: str, *rooms: str) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def allowed(source: str, target: str) -> bool:
    """Whether the arrow source → target (both inside the product) is in the design."""
    if source == "app" or source in COMPOSITION:
        return not below(target, "trainer") or target in CONTRACT
    if below(source, "trainer"):
        return below(target, "trainer")
    if below(source, "pages"):
        if below(target, "pages"):
            return below(target, "pages.components")
        if (
            below(target, "trainer", "backend.store", "backend.statistics", "backend.detectors", "backend.jobs")
            or target in COMPOSITION
        ):
            return False
        return target != "backend.runtime" or below(source, "pages.components")
    if below(target, "pages", "app") or target in COMPOSITION:
        return False
    if below(target, "trainer"):
        return target in CONTRACT and package(source) in KNOWS_THE_CONTRACT
    return _inside_backend(package(source), package(target), source)


def _inside_backend(source: str, target: str, module: str) -> bool:
    if source == target or target == "backend":
        return True
    if source in PURE or source in PURE_MODULES:
        return target in (*PURE, *PURE_MODULES)
    if source == "runtime":
        return target in ("settings", "store", "errors")
    if target in PURE_MODULES or target in ("settings", "logs", "engine"):
        return True
    if source in ("settings", "logs", "engine"):
        return False
    if source in STAGES:
        return target in FLOOR or (target == "runtime" and module.endswith(".commands"))
    if source == "store":
        return target in PURE
    if source in ("access", "jobs"):
        return target in (*PURE, "store", "access") or (target == "runtime" and module.endswith(".commands"))
    return False


def test_the_arrows_between_packages_are_those_of_the_design() -> None:
    wrong = [
        f"{source} → {target}"
        for source in sorted(modules())
        for target in sorted(imports(source))
        if target.split(".")[0] in ("backend", "trainer", "pages", "app") and not allowed(source, target)
    ]
    assert not wrong, "\n".join(["Arrows that the design does not have:", *wrong])


def test_an_arrow_against_the_design_is_found() -> None:
    assert not allowed("backend.review.reviewing", "backend.intake.importing")
    assert not allowed("backend.statistics.intervals", "backend.store.base")
    assert not allowed("trainer.loop", "backend.errors")
    assert not allowed("pages.home", "backend.store.records")
    assert not allowed("backend.intake.importing", "trainer.contract")


def test_only_the_trainer_imports_torch() -> None:
    wrong = [
        f"{name} imports {target}"
        for name in sorted(modules())
        for target in sorted(imports(name))
        if target.split(".")[0] in HEAVY and not below(name, "trainer")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_contract_needs_the_standard_library_alone() -> None:
    import sys

    for name in CONTRACT[1:]:
        outside = {target.split(".")[0] for target in imports(name) if not below(target, *CONTRACT[1:])}
        assert outside <= set(sys.stdlib_module_names), name


def test_only_settings_and_the_runtime_read_the_environment() -> None:
    wrong = [
        name
        for name, path in sorted(modules().items())
        if "os.environ" in path.read_text(encoding="utf-8")
        and not below(name, "app", "backend.runtime", "backend.settings", "backend.jobs", "trainer", *COMPOSITION)
    ]
    assert not wrong, wrong


def test_streamlit_is_known_to_pages_alone() -> None:
    wrong = [
        name
        for name in sorted(modules())
        if not below(name, "pages", "app") and any(below(t, "streamlit") for t in imports(name))
    ]
    # The gate and the login forms look up Streamlit's own files (the hashes of its scripts, its fonts), and draw nothing.
    assert set(wrong) <= {"backend.access.gate", "backend.access.forms"}


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_has_one_subject_and_says_what_it_is(name: str) -> None:
    path = modules()[name]
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if path.name == "__init__.py":
        assert not text.strip(), "__init__.py files stay empty"
        return
    assert ast.get_docstring(tree), f"{name} has no docstring"
    limit = 150 if below(name, "pages") and not below(name, "pages.components") else 400
    assert len(text.splitlines()) <= limit, f"{name} has {len(text.splitlines())} lines; {limit} is the most"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 60, f"{name}.{node.name} has {lines} lines; 60 is the most"


def test_no_room_is_called_utils() -> None:
    banned = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert not [name for name in modules() if banned & set(name.split("."))]


def test_the_top_level_holds_what_the_user_fixed_and_what_tools_need() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert tracked - {"data", "tmp", "screenshots", "__pycache__"} <= TOP_LEVEL
