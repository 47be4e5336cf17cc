"""How many processes a server has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from presence_server.server.cores import available_cores, process_count
from presence_server.settings import Settings, SettingsError


def test_there_is_one_process_unless_the_operator_says_otherwise() -> None:
    assert process_count(Settings()) == 1
    assert process_count(Settings.of({"server.processes": 3})) == 3


def test_auto_is_one_for_each_core() -> None:
    settings = Settings.of({"server.processes": "auto"})
    assert process_count(settings) == available_cores()
    assert process_count(settings, platform="darwin") == 1


def test_other_systems_than_linux_refuse_more_than_one_with_a_reason() -> None:
    assert process_count(Settings(), platform="darwin") == 1
    with pytest.raises(SettingsError, match="more than one needs Linux"):
        process_count(Settings.of({"server.processes": 2}), platform="darwin")


@pytest.mark.parametrize(
    ("quota", "most"),
    [("max 100000", 10**6), ("150000 100000", 1), ("50000 100000", 1), ("x", 10**6)],
)
def test_the_quota_of_a_container_counts(tmp_path: Path, quota: str, most: int) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(quota)
    cores = len(os.sched_getaffinity(0))
    assert available_cores(path) == min(cores, most)
    assert available_cores(tmp_path / "no such file") == cores


@pytest.mark.parametrize("value", [0, -1, 129, 1000, "x", "", "1.5", "０", True, None, [2]])
def test_other_values_are_refused_in_one_line(value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.of({"server.processes": value})
    (problem,) = refused.value.problems
    assert problem.startswith("server.processes: must be a whole number from 1 to 128")
