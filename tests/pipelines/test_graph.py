"""The graph as people see it: a rename, a lost edge or an asset without words is a visible difference here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definitions import definitions
from pipelines.warehouse.checks import checks
from tests.pipelines.small_books import START

if TYPE_CHECKING:
    import dagster as dg

SNAPSHOT = Path(__file__).with_name("graph.json")


def described(defs: dg.Definitions) -> dict[str, Any]:
    """The graph in plain values."""
    graph = defs.resolve_asset_graph()
    repository = defs.get_repository_def()
    assets = {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "deps": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "kinds": sorted(graph.get(key).kinds),
            "partitioned": graph.get(key).is_partitioned,
            "checks": sorted(check.name for check in graph.get(key).check_keys),
        }
        for key in sorted(graph.get_all_asset_keys())
    }
    return {
        "assets": assets,
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {item.name: item.cron_schedule for item in repository.schedule_defs},
        "sensors": sorted(item.name for item in repository.sensor_defs),
    }


def test_graph_is_the_one_agreed() -> None:
    """Keys, edges, kinds, partitions, checks and automation are those of graph.json, edited with a meant change."""
    assert described(definitions(START)) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_asset_check_and_job_says_what_it_is() -> None:
    """Nothing in the graph shows an empty description."""
    defs = definitions(START)
    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    assert [key for key in graph.get_all_asset_keys() if not graph.get(key).description] == []
    assert [key for key in graph.asset_check_keys if not graph.get_check_spec(key).description] == []
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    silent = [job.name for job in jobs if not job.description]
    silent += [schedule.name for schedule in repository.schedule_defs if not schedule.description]
    assert silent + [sensor.name for sensor in repository.sensor_defs if not sensor.description] == []


def test_tables_show_their_columns_before_any_run() -> None:
    """The column schema comes from the migrations and needs no books."""
    graph = definitions(START).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        if graph.get(key).is_partitioned:
            assert graph.get(key).metadata["dagster/column_schema"].columns, key


def test_every_check_is_verified_over_full_history() -> None:
    """Each check view is an asset check of the published copy."""
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert snapshot["assets"]["published_books"]["checks"] == sorted(check.name for check in checks())


def test_automation_is_off_until_somebody_switches_it_on() -> None:
    """Opening the web page does not begin to bill."""
    repository = definitions(START).get_repository_def()
    states = {schedule.default_status.value for schedule in repository.schedule_defs}
    assert states | {sensor.default_status.value for sensor in repository.sensor_defs} == {"STOPPED"}


def test_definitions_load_without_books_and_without_a_home(tmp_path: Path) -> None:
    """A fresh process in an empty folder loads the one Definitions, without a warning, and leaves nothing behind."""
    root = Path(__file__).resolve().parents[2]
    code = "import pipelines.definitions as d; d.dg.Definitions.validate_loadable(d.defs)"
    environment = {"PYTHONPATH": str(root), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
