"""SIGKILL at any step of a posting or a publication: started again, the books are what they would have been.

The hashes over the live books, over the published copy, and the journal byte for byte must be those of a run that
nobody disturbed; and at every moment in between a reader finds the published copy whole.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from tests.faults.workshop import Stage, Trial, Worker, run_trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.faults.worker import Job

SEED = 20260901
RANDOM_TRIALS = 4
_JOURNAL = "write postings.jsonl"
_SYNCED = "fsync postings.jsonl"


def point(label: str, nth: int, how: str) -> Job:
    """Stop at the nth step whose label begins like this."""
    return {"at": {"label": label, "nth": nth, "how": how}}


# One copy of the books is killed at each of these in turn: every start goes on from where the last one was cut off.
# An intent line that stands is not written again, so the next line is the done line.
STEP_BY_STEP = [
    point(_JOURNAL, 1, "before"),
    point(_JOURNAL, 1, "half"),
    point(_SYNCED, 1, "after"),
    point("sql BEGIN (posting)", 1, "after"),
    point("sql INSERT INTO classified_usage", 1, "after"),
    point("sql INSERT INTO books.token_transactions", 1, "after"),
    point("sql COPY (SELECT file_id", 1, "after"),
    point("sql INSERT INTO audit.postings", 1, "after"),
    point("sql COMMIT (posting)", 1, "before"),
    point("sql COMMIT (posting)", 1, "after"),
    point("sql INSERT INTO published.books.token_usage", 1, "after"),
    point("sql COMMIT (publish)", 1, "before"),
    point("sql COMMIT (publish)", 1, "after"),
    point("sql CHECKPOINT published", 1, "before"),
    point("sql DETACH published", 1, "after"),
    point("link tollbook.duckdb", 1, "before"),
    point("link tollbook.duckdb", 1, "after"),
    point("replace .standby.duckdb", 1, "after"),
    point("replace .spare.duckdb", 1, "after"),
    point("replace .spare.duckdb", 1, "after"),
]
DONE_LINE = [point(_JOURNAL, 2, "half"), point(_JOURNAL, 1, "before"), point(_SYNCED, 1, "after")]
FIRST_DAY = [
    point("replace .tollbook.duckdb.new", 1, "before"),
    point("sql COMMIT (migrations)", 1, "before"),
    point("sql COMMIT (migrations)", 1, "after"),
    point("sql COMMIT (views)", 1, "after"),
    point(_JOURNAL, 1, "after"),
    point("sql COMMIT (posting)", 1, "after"),
    point("sql CREATE TABLE IF NOT EXISTS published.books.token_usage", 1, "after"),
    point("sql DETACH published", 1, "after"),
    point("replace .standby.duckdb", 1, "after"),
]


def test_a_posting_killed_at_one_step_after_the_other_converges(trials: dict[str, Trial]) -> None:
    """From the intent line to the last rename, each start going on from the last kill."""
    _assert_converged(trials["step by step"], every=True)


@pytest.mark.slow
def test_a_posting_killed_at_every_step_converges(others: dict[str, Trial]) -> None:
    """The same at twice as many of them."""
    _assert_converged(others["every step"], every=True)


def test_a_torn_done_line_converges(trials: dict[str, Trial]) -> None:
    """The posting stands, its done line is cut and written again."""
    _assert_converged(trials["done line"], every=True)


@pytest.mark.slow
def test_the_first_posting_of_new_books_converges(others: dict[str, Trial]) -> None:
    """Killed while the schema, the first posting and the first published copy are made."""
    _assert_converged(others["first day"], every=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(RANDOM_TRIALS))
def test_kills_at_random_steps_converge(others: dict[str, Trial], number: int) -> None:
    """Steps drawn from all of a posting and a publication."""
    _assert_converged(others[f"random {number}"])


@pytest.mark.slow
def test_kills_at_random_times_converge(others: dict[str, Trial]) -> None:
    """From outside, at no particular step."""
    _assert_converged(others["timed"])


@pytest.mark.slow
def test_at_least_fifty_kills_were_had(trials: dict[str, Trial], others: dict[str, Trial]) -> None:
    """A point that a run did not come by does not count."""
    assert sum(sum(trial.killed) for trial in (*trials.values(), *others.values())) >= 50


@pytest.mark.slow
def test_sixty_kills_converge_each_by_itself(new: Stage, begun: Stage, tmp_path: Path) -> None:
    """Each on a copy of its own, spread over all steps of both stages."""
    tries = [(begun, Trial(f"begun {number}", [job])) for number, job in enumerate(_spread_points(begun, 48))]
    tries += [(new, Trial(f"new {number}", [job])) for number, job in enumerate(_spread_points(new, 12))]
    _run_all(tries, tmp_path)
    assert [trial for _, trial in tries if trial.defects or trial.killed != [True]] == []


@pytest.fixture(scope="module")
def trials(begun: Stage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """Every trial of the default suite."""
    tries = [
        (begun, Trial("step by step", _resolved(STEP_BY_STEP[::2], begun))),
        (begun, Trial("done line", _resolved(DONE_LINE, begun))),
    ]
    return _run_all(tries, tmp_path_factory.mktemp("trials"))


@pytest.fixture(scope="module")
def others(new: Stage, begun: Stage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """Trials at every step, of new books, and at steps and at times that are drawn."""
    dice = random.Random(SEED)
    tries = [(begun, Trial(f"random {n}", _random_points(begun, 5, n))) for n in range(RANDOM_TRIALS)]
    tries.append((begun, Trial("every step", _resolved(STEP_BY_STEP, begun))))
    tries.append((new, Trial("first day", _resolved(FIRST_DAY, new))))
    tries.append((begun, Trial("timed", [{"kill_after": dice.uniform(0.02, 0.6)} for _ in range(4)])))
    return _run_all(tries, tmp_path_factory.mktemp("others"))


def _run_all(tries: Sequence[tuple[Stage, Trial]], root: Path) -> dict[str, Trial]:
    """Run the trials, two at a time; they by their names."""
    with Worker() as first, Worker() as second, ThreadPoolExecutor(2) as pool:
        free: SimpleQueue[Worker] = SimpleQueue()
        free.put(first)
        free.put(second)

        def run(stage: Stage, trial: Trial) -> None:
            worker = free.get()
            run_trial(worker, stage, trial, root / trial.name.replace(" ", "-"))
            free.put(worker)

        for ended in [pool.submit(run, stage, trial) for stage, trial in tries]:
            ended.result()
    return {trial.name: trial for _, trial in tries}


def _resolved(points: Sequence[Job], stage: Stage) -> list[Job]:
    """Points with the whole label of the first step that begins like theirs."""
    labels = [next(label for label in stage.steps if label.startswith(job["at"]["label"])) for job in points]
    return [{"at": {**job["at"], "label": label}} for job, label in zip(points, labels, strict=True)]


def _random_points(stage: Stage, count: int, seed: int) -> list[Job]:
    """Seeded points in their order, so that each start still comes by the next one."""
    dice = random.Random(SEED + seed)
    places = sorted(dice.sample(_places(stage), count))
    return [_point_at(stage, place, dice.choice(["before", "after"])) for place in places]


def _spread_points(stage: Stage, count: int) -> list[Job]:
    """One seeded point in each of so many stretches of a stage, all about as long."""
    dice, places = random.Random(SEED), _places(stage)
    bounds = [len(places) * number // count for number in range(count + 1)]
    drawn = [places[dice.randrange(low, high)] for low, high in pairwise(bounds)]
    return [_point_at(stage, place, dice.choice(["before", "after"])) for place in drawn]


def _places(stage: Stage) -> list[int]:
    """Where a stage can be stopped: at the steps that every run takes; what is cached hangs on how old files are."""
    not_of_all = ("unlink .tollbook", "replace file_hashes")
    return [place for place, label in enumerate(stage.steps) if label and not label.startswith(not_of_all)]


def _point_at(stage: Stage, place: int, how: str) -> Job:
    label = stage.steps[place]
    return point(label, stage.steps[: place + 1].count(label), how)


def _assert_converged(trial: Trial, *, every: bool = False) -> None:
    assert trial.defects == []
    if every:
        assert [at for at, killed in zip(trial.points, trial.killed, strict=True) if not killed] == []
