"""Which GPUs a worker offers: found, narrowed down, stated; told to children."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import InvalidInput
from backend.jobs import processes
from backend.jobs.gpus import CLUSTER, Device, Offer, offered, read
from backend.settings import Settings

Install = Callable[[int], list[str]]


def numbers(**environ: str) -> list[int]:
    return [device.number for device in offered(Settings.from_env(environ)).devices]


def test_the_gpus_of_a_machine_are_found_with_name_and_memory(install_gpus: Install) -> None:
    uuids = install_gpus(2)
    offer = offered(Settings())
    assert offer.known
    assert offer.devices[1] == Device(uuids[1], 1, uuids[1], "NVIDIA H200", 143771)
    assert offer.environment([device.visible for device in offer.devices])["CUDA_VISIBLE_DEVICES"] == ",".join(uuids)
    assert offer.environment([])["CUDA_VISIBLE_DEVICES"] == ""


def test_a_machine_without_gpus_offers_none_and_tells_its_children_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_gpus: Install
) -> None:
    install_gpus(0)
    assert offered(Settings()) == Offer()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert offered(Settings()).environment([]) == {}


@pytest.mark.parametrize("program", ["#!/bin/sh\necho Failed to initialize NVML\nexit 18\n", "not a program"])
def test_a_driver_that_does_not_work_means_no_gpus(program: str, tmp_path: Path, install_gpus: Install) -> None:
    install_gpus(2)
    (tmp_path / "driver" / "nvidia-smi").write_text(program)
    assert offered(Settings()) == Offer()


def test_what_a_driver_says_is_read_as_far_as_it_can_be() -> None:
    said = (
        '1, GPU-b, "NVIDIA, big", [N/A]\nNo devices were found\n\n0, GPU-a, NVIDIA H100, 81559 \n0, GPU-a, again, 1\n2, ?, x, 5'
    )
    assert read(said) == [Device("GPU-a", 0, "GPU-a", "NVIDIA H100", 81559), Device("GPU-b", 1, "GPU-b", "NVIDIA, big", 0)]


def test_the_setting_narrows_down_what_was_found(install_gpus: Install) -> None:
    uuids = install_gpus(4)
    assert numbers() == [0, 1, 2, 3]
    assert numbers(TOUCHSTONE_GPUS="2, 0,2") == [2, 0]
    assert numbers(TOUCHSTONE_GPUS=f"{uuids[3]},{uuids[1][:12]}") == [3, 1]
    assert offered(Settings(gpus="None")) == Offer(known=True)


@pytest.mark.parametrize("stated", ["0,4", "GPU-ffff", "GPU-0000"])
def test_gpus_that_are_not_there_are_refused(stated: str, install_gpus: Install) -> None:
    install_gpus(3)
    with pytest.raises(InvalidInput, match="nvidia-smi lists only 0, 1, 2"):
        offered(Settings(gpus=stated))


@pytest.mark.parametrize("stated", ["all", "0;1", "0,,1", "-1", "0 1"])
def test_a_setting_that_names_no_gpus_is_refused(stated: str) -> None:
    with pytest.raises(InvalidInput, match="TOUCHSTONE_GPUS must be numbers or UUIDs"):
        offered(Settings(gpus=stated))


def test_without_a_driver_the_setting_is_taken_at_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    offer = offered(Settings(gpus="0,GPU-abc"))
    assert [device.key for device in offer.devices] == [f"{processes.here()}/0", "GPU-abc"]
    assert [device.visible for device in offer.devices] == ["0", "GPU-abc"]


def test_parts_of_a_gpu_are_named_by_their_uuids(install_gpus: Install) -> None:
    install_gpus(1)
    for environ in ({"TOUCHSTONE_GPUS": "MIG-a/1/0,MIG-b"}, {"CUDA_VISIBLE_DEVICES": "MIG-a/1/0,MIG-b"}):
        offer = offered(Settings.from_env(environ))
        assert [device.visible for device in offer.devices] == ["MIG-a/1/0", "MIG-b"]


def test_what_cuda_shows_to_the_worker_is_all_that_it_gives_away(install_gpus: Install) -> None:
    uuids = install_gpus(4)
    assert numbers(CUDA_VISIBLE_DEVICES=f"3,{uuids[1]}") == [3, 1]
    assert numbers(CUDA_VISIBLE_DEVICES="2,9,1") == [2]
    assert numbers(CUDA_VISIBLE_DEVICES="") == []
    assert numbers(CUDA_VISIBLE_DEVICES="-1") == []
    assert numbers(CUDA_VISIBLE_DEVICES="3", TOUCHSTONE_GPUS="0") == [0]


def test_a_cluster_finds_the_gpus_itself(install_gpus: Install) -> None:
    install_gpus(2)
    assert offered(Settings(launcher="ray")) == CLUSTER
    assert CLUSTER.environment([]) == {}
