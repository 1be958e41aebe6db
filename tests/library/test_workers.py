"""Workers that hang, die and grow: the tasks are built-ins that a worker can import, and real."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import time
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


def test_a_worker_that_dies_between_two_jobs_costs_nothing() -> None:
    with WorkerPool(1) as pool:
        pid = outcome(pool, "__import__('os').getpid()").result
        os.kill(pid, signal.SIGKILL)
        for number in range(3):
            pool.submit(number, builtins.eval, "6 * 7", 30)
        results = []
        while len(results) < 3:
            result = pool.next_outcome(timeout_s=60)
            if result is not None:
                results.append((result.key, result.result))
    assert sorted(results) == [(0, 42), (1, 42), (2, 42)]


def test_processes_that_cannot_start_are_no_fault_of_the_files() -> None:
    # As in a script without `if __name__ == "__main__":`, every worker fails on its way up.
    script = (
        "from tonotope.library.workers import WorkerPool\n"
        "with WorkerPool(1) as pool:\n"
        "    pool.submit('key', eval, '1', 30)\n"
        "    while pool.next_outcome(1) is None: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "LibraryError: cannot run worker processes: " in done.stderr.splitlines()[-1]


def test_a_machine_that_slept_costs_no_file() -> None:
    script = (
        "from tonotope.library.workers import WorkerPool\n"
        "if __name__ == '__main__':\n"
        "    with WorkerPool(1) as pool:\n"
        "        pool.submit('key', eval, \"print('at it', flush=True),"
        " [__import__('time').sleep(0.1) for _ in range(30)][:0]\", 4)\n"
        "        while (outcome := pool.next_outcome(0.1)) is None: pass\n"
        "    print(outcome.result)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at it\n"
    time.sleep(1)  # until the pool, too, knows that it is at it
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(7)  # longer than the job may take
    os.killpg(process.pid, signal.SIGCONT)
    printed, _ = process.communicate(timeout=60)
    assert printed == "at it\n(None, [])\n"


def test_workers_give_way_and_follow_their_parent() -> None:
    with WorkerPool(1, nice=7) as pool:
        assert outcome(pool, "__import__('os').nice(0)").result == 7 + os.nice(0)


def test_the_environment_is_left_as_it_was() -> None:
    before = dict(os.environ)
    with WorkerPool(1):
        pass
    assert dict(os.environ) == before


def test_a_pool_that_did_nothing_ends_at_once() -> None:
    with WorkerPool(2):
        pass


def test_as_many_jobs_as_cores() -> None:
    assert 1 <= default_jobs() <= (os.cpu_count() or 1)
