"""`init` writes what the books read, `demo` finds what it planted, `ui` starts the installed code and ends for good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.books.config import load_config, load_packages, load_settings
from pipelines.books.config_models import BooksConfig
from pipelines.books.folder import BooksFolder
from pipelines.ui import command, end_group, environment, free_port, install_folder, write_workspace

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_init_writes_books_with_the_defaults(tollbook: Command, tmp_path: Path) -> None:
    """The new configuration, prices and packages are those of books that say nothing."""
    root = tmp_path / "new"
    made = tollbook("--json", "init", str(root), "--start", "2026-09-01", "--name", 'My "app"')
    assert made.code == 0, made.err
    folder = BooksFolder(root.resolve())
    config = load_config(folder)
    assert (config.books.name, config.books.start.isoformat()) == ('My "app"', "2026-09-01")
    bare = BooksConfig.model_validate({"books": config.books, "usage": config.usage})
    assert config == bare
    settings, packages = load_settings(folder, config), load_packages(folder, config)
    folder.rates.unlink()
    folder.packages.unlink()
    assert settings.versions[0].content() == load_settings(folder, config).versions[0].content()
    assert packages == load_packages(folder, config)


def test_init_explains_every_key(tollbook: Command, tmp_path: Path) -> None:
    """Each key of each section stands in the file, set or behind `#`, and the text is valid TOML uncommented too."""
    tollbook("init", str(tmp_path / "new"))
    text = (tmp_path / "new/tollbook.toml").read_text(encoding="utf-8")
    for name, field in BooksConfig.model_fields.items():
        assert f"[{name}]" in text
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"{key} = " in text, (name, key)
    uncommented = "\n".join(line.removeprefix("# ") for line in text.splitlines() if "= ..." not in line)
    assert tomllib.loads(uncommented[uncommented.index("[books]") :])["stripe"]["mode"] == "files"


def test_init_leaves_existing_books_alone(tollbook: Command) -> None:
    """A books folder is refused with 2 and not touched."""
    before = tollbook.folder.config.read_bytes()
    made = tollbook("init", str(tollbook.root))
    assert (made.code, "already" in made.err) == (2, True)
    assert tollbook.folder.config.read_bytes() == before
    assert tollbook("init", str(tollbook.folder.config)).code == 2


def test_demo_refuses_a_folder_of_somebody(tollbook: Command) -> None:
    """A folder that is no demo is left alone: exit 2."""
    made = tollbook("demo", "--dir", str(tollbook.root))
    assert made.code == 2
    assert tollbook.folder.published.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "rows"), [("1", "1"), ("3", "5000")])
def test_demo_finds_all_that_it_planted(tollbook: Command, tmp_path: Path, seed: str, rows: str) -> None:
    """Planted = found for every kind, whatever the seed, the size, the clock and the user's overrides say."""
    made = tollbook(
        *("--json", "demo", "--dir", str(tmp_path / "demo"), "--seed", seed, "--rows", rows),
        env={"TOLLBOOK__BOOKS__NAME": "x"},
    )
    assert made.code == 0, made.err
    document = made.document
    assert document["all_found"]
    assert document["checks_passed"] == document["checks_total"] > 0


def test_ui_workspace_and_environment_are_absolute(tollbook: Command) -> None:
    """The server loads the installed code with these books, wherever it is started from."""
    workspace = write_workspace(tollbook.folder)
    (location,) = json.loads(workspace.read_text(encoding="utf-8"))["load_from"]
    module = location["python_module"]
    assert (module["module_name"], module["working_directory"]) == ("pipelines.definitions", str(install_folder()))
    assert Path(module["working_directory"]).is_absolute()
    variables = environment(tollbook.folder)
    assert variables["TOLLBOOK_BOOKS"] == str(tollbook.root)
    assert Path(variables["DAGSTER_HOME"]).is_absolute()
    assert (variables["PYTHONSAFEPATH"], variables["DAGSTER_DISABLE_TELEMETRY"]) == ("1", "1")
    assert str(workspace) in command(workspace, 3000)


def test_end_of_the_ui_leaves_no_process() -> None:
    """A process that ignores TERM, and its child, are gone afterwards."""
    code = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.fork() and os.getpid(), flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    end_group(process, seconds=0.5)
    assert process.returncode == -signal.SIGKILL
    process.stdout.read()  # ends only when the child, who has the other end too, is gone
    process.stdout.close()


def test_taken_port_is_a_usage_error(tollbook: Command) -> None:
    """A port that is in use ends with 2; without a port any free one is taken."""
    import socket

    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        asked = tollbook("ui", "--no-browser", "--port", str(busy.getsockname()[1]))
    assert (asked.code, "is taken" in asked.err) == (2, True)
    assert free_port(None) > 0


@pytest.mark.slow
def test_ui_runs_the_installed_code_among_decoys(tollbook: Command) -> None:
    """Started from a folder with decoys the server answers, says where its code is, and ends."""
    for package in ("pipelines", "reports", "billing_core"):
        (tollbook.root / package).mkdir()
        (tollbook.root / package / "__init__.py").write_text("raise SystemExit('decoy')\n", encoding="utf-8")
    executable = Path(sys.executable).with_name("tollbook")
    shown = subprocess.run(
        [executable, "--json", "ui", "--check", "--no-browser"],
        cwd=tollbook.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["code"] == str(install_folder())


@pytest.mark.parametrize(
    ("number", "when"),
    [
        (signal.SIGINT, "starting the Dagster UI"),
        pytest.param(signal.SIGTERM, "starting the Dagster UI", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "Ctrl-C ends it", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "Ctrl-C ends it", marks=pytest.mark.slow),
    ],
)
def test_signal_ends_the_ui_and_its_servers(tollbook: Command, number: signal.Signals, when: str) -> None:
    """The real command, asked to end while it starts or when it serves: the code of the signal, and no process left."""
    executable = Path(sys.executable).with_name("tollbook")
    process = subprocess.Popen(
        [executable, "--books", tollbook.root, "ui", "--no-browser"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    while when not in process.stderr.readline():
        assert process.poll() is None
    group = _only_child(process.pid)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert "has ended" in process.stderr.read()
    process.stderr.close()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def _only_child(parent: int) -> int:
    """The process that a process has started, as soon as there is one."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            above, child = map(int, line.split())
            if above == parent:
                return child
        time.sleep(0.05)
    pytest.fail("no server was started")
