"""Fan-out over real Ray workers: order, errors, dead workers, and going on where it stopped."""

import json
import os
import sys
import time

import pytest

from pipelines.fanout import _Queue, fan_out, fan_out_resumable, fan_out_unordered, ray_session


@pytest.fixture(scope="module")
def session():
    """One Ray session for all tests here: starting it takes seconds. Workers get this module by value."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with ray_session(2):
        yield


def late_square(number):
    time.sleep(0.05 * (number % 3))
    return number * number


def refuse_three(number):
    if number == 3:
        raise ValueError("three is not welcome")
    return number


def die_once(task):
    folder, number = task
    marker = os.path.join(folder, "died")
    if number == 2 and not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(1)
    return number


def always_die(number):
    os._exit(1)


def count_call(task):
    folder, number = task
    open(os.path.join(folder, f"called-{number}-{time.time_ns()}"), "w").close()
    return number + 0.5


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_order(session, workers):
    told = []
    assert list(fan_out(late_square, range(25), workers, told.append)) == [n * n for n in range(25)]
    assert told == list(range(1, 26))


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_arrive_as_they_were(session, workers):
    with pytest.raises(ValueError, match="three is not welcome"):
        list(fan_out(refuse_three, range(6), workers))


def test_dead_worker_is_replaced(session, tmp_path):
    tasks = [(str(tmp_path), number) for number in range(6)]
    assert list(fan_out(die_once, tasks, 2)) == list(range(6))
    assert (tmp_path / "died").exists()


def test_results_out_of_order_are_all_there_and_a_dead_worker_is_replaced(session, tmp_path):
    tasks = [(str(tmp_path), number) for number in range(8)]
    found = list(fan_out_unordered(die_once, tasks, 2, lambda task: task[1] % 2))
    assert sorted(found) == [(number, number) for number in range(8)] and (tmp_path / "died").exists()


def test_alike_tasks_go_to_one_worker_until_there_are_none():
    queue = _Queue("abbacb")
    assert [queue.take(worker) for worker in (0, 1, 0, 1)] == [0, 1, 3, 2]
    assert [queue.take(0), queue.take(1)] == [4, 5] and not queue  # c, which nobody had; the last b
    queue = _Queue("aab")
    assert [queue.take(0), queue.take(0), queue.take(1)] == [0, 1, 2]
    queue = _Queue("aaa")
    assert [queue.take(0), queue.take(1), queue.take(0)] == [0, 1, 2]  # one group, shared


def test_task_that_always_kills_is_given_up(session):
    with pytest.raises(RuntimeError, match="giving up"):
        list(fan_out(always_die, range(2), 2))


def test_finished_tasks_are_not_repeated(tmp_path):
    tasks = {f"{n}": (str(tmp_path), n) for n in range(5)}
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "1.json").write_text(json.dumps(77))
    told = []
    assert fan_out_resumable(count_call, tasks, parts, 0, told.append) == [0.5, 77, 2.5, 3.5, 4.5]
    assert fan_out_resumable(count_call, tasks, parts, 0, told.append) == [0.5, 77, 2.5, 3.5, 4.5]
    assert len(list(tmp_path.glob("called-*"))) == 4
    assert told == [1, 2, 3, 4, 5, 5]
