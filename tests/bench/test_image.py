"""The container image is built on the base that its file names, where there is what builds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.image import base_of, try_image
from tests.bench.outcomes import ROOT


def test_the_base_is_that_of_the_file() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    assert base_of(text).startswith("docker.io/library/python:3.")
    assert base_of("ARG BASE=debian:13\nFROM ${BASE}\n") == "debian:13"


def test_a_machine_without_podman_and_docker_says_so(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = try_image(tmp_path / "no.whl", tmp_path, demo=True)
    assert outcome.said == "neither podman nor docker works here: not run"
    assert not outcome.failed
