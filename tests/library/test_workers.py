"""Workers that hang, die and grow: the tasks are built-ins that a worker can import, and real."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator

import pytest

from tonotope.library.worker import identify_file
from tonotope.library.workers import Failure, Outcome, WorkerPool, default_jobs


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1, memory_bytes=400 << 20) as pool:
        yield pool


def outcome(pool: WorkerPool, python: str, timeout_s: float = 30) -> Outcome:
    pool.submit("key", builtins.eval, python, timeout_s)
    result = pool.next_outcome(timeout_s=60)
    assert result is not None
    assert result.key == "key"
    return result


def test_a_result(pool: WorkerPool) -> None:
    assert outcome(pool, "6 * 7").result == 42


def test_what_is_not_there_yet(pool: WorkerPool) -> None:
    assert pool.next_outcome(timeout_s=0.01) is None


def test_a_task_that_hangs(pool: WorkerPool) -> None:
    result = outcome(pool, "__import__('time').sleep(60)", timeout_s=1).result
    assert isinstance(result, Failure)
    assert result.reason == "not done after 1 s"


def test_a_worker_that_dies(pool: WorkerPool) -> None:
    result = outcome(pool, "__import__('os').kill(__import__('os').getpid(), 11)").result
    assert isinstance(result, Failure)
    assert "its worker process died (status -11)" in result.reason


def test_a_task_that_takes_too_much_memory(pool: WorkerPool) -> None:
    result = outcome(pool, "(bytearray(b'x') * (1 << 30), __import__('time').sleep(5))").result
    assert isinstance(result, Failure)
    assert result.reason == "needs more than 400 MB of memory"


def test_an_error_is_named_in_one_line(pool: WorkerPool) -> None:
    result = outcome(pool, "1 / 0").result
    assert isinstance(result, Failure)
    assert result.reason == "ZeroDivisionError: division by zero"


def test_a_decode_error_keeps_its_reason_and_next_step(pool: WorkerPool) -> None:
    pool.submit("key", identify_file, "/nowhere/a.mp3", 30)
    result = pool.next_outcome(timeout_s=60)
    assert result is not None
    assert isinstance(result.result, Failure)
    assert result.result.next_step


def test_the_pool_works_after_all_this(pool: WorkerPool) -> None:
    assert outcome(pool, "__import__('os').environ['OMP_NUM_THREADS']").result == "1"


def test_no_worker_hears_ctrl_c(pool: WorkerPool) -> None:
    masked = "2 in __import__('signal').pthread_sigmask(0, [])"
    assert outcome(pool, masked).result is True


def test_a_pool_that_did_nothing_ends_at_once() -> None:
    with WorkerPool(2):
        pass


def test_as_many_jobs_as_cores() -> None:
    assert 1 <= default_jobs() <= (os.cpu_count() or 1)
