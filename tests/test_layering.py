"""The arrows between the packages point one way only; heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Layer(NamedTuple):
    """What a package may import. `never` holds inside of functions too, `late` allows it there."""

    ours: frozenset[str]
    never: frozenset[str]
    late: frozenset[str] = frozenset()


OURS = frozenset({"formats", "transforms", "pipeline", "trainer", "tests", "benchmarks"})
KERAS = frozenset({"tensorflow", "keras"})

LAYERS = {
    "formats": Layer(ours=frozenset(), never=KERAS | {"apache_beam"}),
    "transforms": Layer(ours=frozenset({"formats"}), never=KERAS, late=frozenset({"gensim"})),
    "pipeline": Layer(
        ours=frozenset({"transforms", "formats"}), never=KERAS, late=frozenset({"gensim"})
    ),
    "trainer": Layer(ours=frozenset({"formats"}), never=frozenset({"apache_beam"})),
}


class Import(NamedTuple):
    package: str
    line: int
    eager: bool


def imports(source: str, module: str) -> Iterator[Import]:
    """Yields the top-level package of every import, relative and `import_module("...")` too."""

    def visit(node: ast.AST, eager: bool) -> Iterator[Import]:
        for name in _imported_names(node, module):
            yield Import(name.partition(".")[0], node.lineno, eager)
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, eager and not is_function)

    return visit(ast.parse(source), True)


def _imported_names(node: ast.AST, module: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [module if node.level else str(node.module)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func)
        if called.endswith("import_module") or called == "__import__":
            return [str(node.args[0].value)]
    return []


def violations(source: str, module: str) -> list[str]:
    """Names every import of a module, given its source, that its layer must not have."""
    package = module.partition(".")[0]
    layer = LAYERS[package]
    found = []
    for name, line, eager in imports(source, module):
        upward = name in OURS - layer.ours - {package}
        if upward or name in layer.never or (eager and name in layer.late):
            found.append(f"{module}:{line} imports {name}")
    return found


def modules(package: str) -> list[str]:
    files = (path.relative_to(ROOT) for path in sorted((ROOT / package).rglob("*.py")))
    return [".".join(file.with_suffix("").parts) for file in files]


def source_of(module: str) -> str:
    return (ROOT / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", LAYERS)
def test_every_import_points_down(package: str) -> None:
    found = [line for module in modules(package) for line in violations(source_of(module), module)]
    assert found == []


@pytest.mark.parametrize("package", LAYERS)
def test_every_package_has_modules_to_check(package: str) -> None:
    assert len(modules(package)) > 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("formats.vectors.text", "import apache_beam as beam"),
        ("formats.vectors.text", "def f():\n    import tensorflow.data"),
        ("formats.vectors.text", "from transforms.join_vectors import JoinVectors"),
        ("formats.vectors.text", "from importlib import import_module\nimport_module('keras')"),
        ("formats.vectors.text", "if TYPE_CHECKING:\n    from apache_beam import PCollection"),
        ("transforms.join", "from pipeline import job"),
        ("transforms.join", "import gensim.models"),
        ("transforms.join", "class C:\n    def f(self):\n        from tensorflow import io"),
        ("pipeline.job", "import trainer.models"),
        ("pipeline.job", "from keras import layers"),
        ("trainer.models", "import apache_beam"),
        ("trainer.models", "from pipeline.verify import verify"),
        ("trainer.models", "import tests.conftest"),
    ],
)
def test_the_check_finds_a_wrong_import(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("formats.vectors.text", "from .rows import parse\nfrom formats.errors import DataError"),
        ("transforms.join", "import apache_beam\nfrom formats import blocks"),
        ("pipeline.vectors", "def train():\n    import gensim"),
        ("pipeline.job", "from transforms.join import Join\nimport formats.errors"),
        ("trainer.models", "import keras\nimport tensorflow as tf\nfrom formats import errors"),
    ],
)
def test_the_check_lets_a_right_import_pass(module: str, source: str) -> None:
    assert violations(source, module) == []


def loaded_by(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh Python has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def import_all(*packages: str) -> str:
    """The statement that imports every module, but for those that are commands."""
    names = (name.removesuffix(".__init__") for package in packages for name in modules(package))
    return "import " + ", ".join(name for name in names if not name.endswith("__main__"))


def test_the_job_and_its_command_line_load_neither_tensorflow_nor_gensim() -> None:
    statement = import_all("pipeline", "transforms")
    assert "pipeline.main" in statement
    loaded = loaded_by(statement)
    assert "apache_beam" in loaded
    assert not loaded & {"tensorflow", "keras", "gensim"}


def test_the_formats_load_neither_beam_nor_tensorflow() -> None:
    assert not loaded_by(import_all("formats")) & {"apache_beam", "tensorflow", "keras", "gensim"}
