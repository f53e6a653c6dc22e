"""The house's own linters: each takes the project's root and returns one sentence per finding, none when all is well.

They read the code with ``ast`` and never import it, except ``heavy_imports``, which imports in a process of its own.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PACKAGES = ("billing_core", "pipelines", "reports")
PRODUCT = "tollbook"
PROFILES = "pipelines/intake/profiles"
MIGRATIONS = "pipelines/warehouse/sql/migrations"

# What the core may import: the standard library but for its doors to the outside, and the two frame libraries.
CORE_MAY_IMPORT = frozenset({"billing_core", "narwhals", "polars"})
OUTSIDE_WORLD = frozenset(
    {
        *("asyncio", "multiprocessing", "subprocess", "threading"),
        *("glob", "io", "os", "pathlib", "shutil", "sqlite3", "tempfile"),
        *("http", "socket", "ssl", "urllib"),
        *("logging", "random", "secrets", "time"),
    }
)
READS_THE_CLOCK = frozenset({"now", "today", "utcnow"})
REPORTS_MAY_NOT_IMPORT = frozenset({"dagster", "pipelines", "stripe"})
HEAVY = ("dagster", "duckdb", "polars", "stripe")

DOUBLE = "pipelines.stripe_double"
MAY_IMPORT_DOUBLE = ("pipelines/stripe_double/", "pipelines/demo/", "pipelines/cli/demo")

LINES_PER_MODULE_MAX = 400
LINES_PER_MODULE_P90 = 250
LINES_PER_FUNCTION_MAX = 70

# Paths of the machines that the code was written on.
WORKPLACE = re.compile(r"(^|[^a-z.])/(wor[k]|far[m])/")


@dataclass(frozen=True)
class Module:
    """One Python file: its path relative to the root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Number of lines."""
        return len(self.text.splitlines())

    def at(self, node: ast.stmt | ast.expr) -> str:
        """Where a node stands, as ``path:line``."""
        return f"{self.path}:{node.lineno}"


def modules(root: Path, *folders: str) -> Iterator[Module]:
    """Yield the Python files under the given folders of the root, by path."""
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield Module(path.relative_to(root).as_posix(), text, ast.parse(text))


def _imports(module: Module) -> Iterator[tuple[str, str]]:
    """Yield (place, top-level package) of every import, also those inside functions."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((module.at(node), alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield module.at(node), "." if node.level else (node.module or "").partition(".")[0]


def core_imports(root: Path) -> list[str]:
    """Find imports of the core that reach beyond arithmetic on values and frames."""
    allowed = (CORE_MAY_IMPORT | sys.stdlib_module_names) - OUTSIDE_WORLD
    imports = (found for module in modules(root, "billing_core") for found in _imports(module))
    return [f"{place} imports {package}" for place, package in imports if package not in allowed]


def impure_core(root: Path) -> list[str]:
    """Find floats in the core, and calls that open files or read the clock."""
    findings = []
    for module in modules(root, "billing_core"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                findings.append(f"{module.at(node)} has the float {node.value}")
            elif isinstance(node, ast.Call) and (called := _called(node)) in READS_THE_CLOCK | {"open"}:
                findings.append(f"{module.at(node)} calls {called}()")
    return findings


def report_imports(root: Path) -> list[str]:
    """Find imports of the reports that would let them compute, orchestrate or charge."""
    imports = (found for module in modules(root, "reports") for found in _imports(module))
    return [f"{place} imports {package}" for place, package in imports if package in REPORTS_MAY_NOT_IMPORT]


def _called(node: ast.Call) -> str | None:
    """Return the last name of what is called: ``Definitions`` for ``dg.Definitions(...)``."""
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)


def other_definitions(root: Path) -> list[str]:
    """Find Dagster Definitions outside the one module that composes them."""
    return [
        f"{module.at(node)} makes Definitions"
        for module in modules(root, *PACKAGES)
        if module.path != "pipelines/definitions.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and _called(node) == "Definitions"
    ]


def long_modules(root: Path) -> list[str]:
    """Find modules over the hard limit, and say when the ninth decile is over its own."""
    lengths = {module.path: module.lines for module in modules(root, *PACKAGES)}
    findings = [f"{path} has {lines} lines" for path, lines in lengths.items() if lines > LINES_PER_MODULE_MAX]
    written = [lines for lines in lengths.values() if lines > 2]
    p90 = statistics.quantiles(written, n=10, method="inclusive")[8] if len(written) > 1 else 0
    return findings + ([f"one module in ten has over {p90:.0f} lines"] if p90 > LINES_PER_MODULE_P90 else [])


def long_functions(root: Path) -> list[str]:
    """Find functions over the limit, tests and benchmarks included."""
    return [
        f"{module.at(node)} {node.name} has {lines} lines"
        for module in modules(root, *PACKAGES, "tests", "bench")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_PER_FUNCTION_MAX
    ]


def _profile_names(root: Path) -> set[str]:
    """Return the names of the built-in profiles, without those that are named after the kind of input they read."""
    files = sorted((root / PROFILES).glob("*.toml"))
    kinds = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")).get("kind") for file in files}
    return {name for name, kind in kinds.items() if name != kind}


def double_imports(root: Path) -> list[str]:
    """Find code of the product that leans on the double of Stripe, the demonstration apart."""
    return [
        f"{module.at(node)} imports the double of Stripe"
        for module in modules(root, *PACKAGES)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not module.path.startswith(MAY_IMPORT_DOUBLE)
        and any(name.startswith(DOUBLE) for name in _imported(node))
    ]


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the dotted names that a statement may bring in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def profile_names(root: Path) -> list[str]:
    """Find profiles that code knows by name: a profile is data, and a new one must not need code.

    The product's own name is a word of every package, so the profile of that name is looked for as a text of
    its own, where profiles are read.
    """
    names = _profile_names(root)
    words = re.compile(r"\b(" + "|".join(sorted(map(re.escape, names - {PRODUCT}))) + r")\b")
    found = [
        f"{module.path}:{number} names the profile {match[0]}"
        for module in modules(root, *PACKAGES)
        for number, line in enumerate(module.text.splitlines(), start=1)
        if (match := words.search(line)) and match[0]  # without profiles the pattern matches, but nothing
    ]
    return found + [
        f"{module.at(node)} names the profile {PRODUCT}"
        for module in modules(root, "pipelines/intake", "pipelines/assets")
        for node in ast.walk(module.tree)
        if PRODUCT in names and isinstance(node, ast.Constant) and node.value == PRODUCT
    ]


def migration_numbers(root: Path) -> list[str]:
    """Find migrations whose number is not their place: the place is the version that a database remembers."""
    names = sorted(path.name for path in (root / MIGRATIONS).glob("*.sql"))
    return [
        f"{name} is the migration of version {version}"
        for version, name in enumerate(names, start=1)
        if not name.startswith(f"{version:04}_")
    ]


def undocumented(root: Path) -> list[str]:
    """Find public modules, classes, functions and methods of the core without a docstring."""
    return [
        f"{module.path} {name} has no docstring"
        for module in modules(root, "billing_core")
        for name, node in [("module", module.tree), *_public(module.tree)]
        if not ast.get_docstring(node)
    ]


def _public(
    parent: ast.Module | ast.ClassDef,
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield the public definitions of a module or class, and those of its public classes."""
    for node in parent.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                yield from ((f"{node.name}.{name}", inner) for name, inner in _public(node))


def heavy_imports(root: Path, module: str = "pipelines.cli") -> list[str]:
    """Import a module in a new process and say which slow libraries that brought in."""
    code = f"import sys; sys.path[:0] = [sys.argv[1]]; import {module}; print(*sys.modules)"
    command = [sys.executable, "-c", code, str(root)]
    loaded = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    return [f"importing {module} imports {name}" for name in HEAVY if name in loaded]


def committable_files(root: Path) -> list[str]:
    """Return the files that git tracks or would add, relative to the root. Raises CalledProcessError outside git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in listed.split("\0") if name and (root / name).is_file())


def workplace_paths(root: Path, names: Iterable[str]) -> list[str]:
    """Find text files that name a path of the machines that the code was written on."""
    return [
        f"{name}:{number} names the path {match[0].strip()}"
        for name in names
        if b"\0" not in (content := (root / name).read_bytes())
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1)
        if (match := WORKPLACE.search(line))
    ]
