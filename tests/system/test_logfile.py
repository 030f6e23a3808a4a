"""The log file of a site: what is written is found again, and it never grows beyond its size."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.system import logfile
from iop4d.system.logfile import LogFile, Wanted, about


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[logging.Logger]:
    made = logging.getLogger("tests.logfile")
    handler = LogFile(tmp_path, "daemon", telescopes={"osn": "T150"})
    made.addHandler(handler)
    made.setLevel(logging.DEBUG)
    yield made
    made.removeHandler(handler)
    handler.close()


def texts(root: Path, **wanted: object) -> list[str]:
    return [line.text for line in logfile.read(root, Wanted(**wanted)).lines]  # type: ignore[arg-type]


def test_the_newest_message_stands_first_with_its_level(logger: logging.Logger,
                                                        tmp_path: Path) -> None:
    logger.info("first of %d", 2)
    logger.warning("second")
    found = logfile.read(tmp_path, Wanted())
    assert [(line.text, line.level, line.service) for line in found.lines] == [
        ("second", "warning", "daemon"), ("first of 2", "info", "daemon")]
    assert texts(tmp_path, level="warning") == ["second"]
    assert not found.has_more


def test_messages_are_found_by_frame_telescope_and_words(logger: logging.Logger,
                                                         tmp_path: Path) -> None:
    logger.info("reduce A.fits: done", extra=about(frames=[12], telescope="T90", job="reduce"))
    logger.info("polarisation", extra=about(frames=[11, 12, 13], telescope="T90"))
    logger.info("reduce 12.fits: done", extra=about(frames=[112], telescope="T150"))
    logger.error("archive %s: %s", "osn", "no answer")
    assert texts(tmp_path, frame=12) == ["polarisation", "reduce A.fits: done"]
    assert texts(tmp_path, telescope="T150") == ["archive osn: no answer", "reduce 12.fits: done"]
    assert texts(tmp_path, text="REDUCE a") == ["reduce A.fits: done"]


def test_a_trace_is_part_of_its_message(logger: logging.Logger, tmp_path: Path) -> None:
    try:
        raise ValueError("what happened")
    except ValueError:
        logger.exception("a part failed")
    (text,) = texts(tmp_path)
    assert text.startswith("a part failed\nTraceback")
    assert text.endswith("ValueError: what happened")


def test_older_messages_follow_page_by_page_over_all_files(tmp_path: Path) -> None:
    handler = LogFile(tmp_path, "daemon", size=2000)
    for number in range(300):
        record = logging.LogRecord("x", logging.INFO, "", 0, f"message {number}", None, None)
        record.created = 1000.0 + number
        handler.emit(record)
    handler.close()
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == 5
    assert all(path.stat().st_size <= 2000 for path in files)
    kept = texts(tmp_path, limit=1000)
    assert kept == [f"message {number}" for number in range(299, 299 - len(kept), -1)]
    page = logfile.read(tmp_path, Wanted(limit=10))
    assert page.has_more
    assert texts(tmp_path, limit=10, before=page.lines[-1].at) == kept[10:20]


def test_a_line_that_a_crash_cut_off_is_left_out(logger: logging.Logger, tmp_path: Path) -> None:
    logger.info("whole")
    with (tmp_path / "logs" / "daemon.jsonl").open("a") as file:
        file.write('{"at": 1, "le')
    assert texts(tmp_path) == ["whole"]


def test_only_its_owner_reads_it_and_a_site_without_one_has_no_message(
        logger: logging.Logger, tmp_path: Path) -> None:
    assert texts(tmp_path) == []
    logger.info("once")
    assert (tmp_path / "logs" / "daemon.jsonl").stat().st_mode & 0o777 == 0o600
    assert texts(tmp_path / "elsewhere") == []


def test_a_full_disk_stops_nobody(logger: logging.Logger, tmp_path: Path,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    (handler,) = logger.handlers
    assert isinstance(handler, LogFile)
    handler.baseFilename = str(tmp_path / "nowhere" / "file")
    logger.info("lost here")
    assert capsys.readouterr().err == ""


def test_a_line_is_json(logger: logging.Logger, tmp_path: Path) -> None:
    logger.info("π\nand %s", "\x00", extra=about(frames=[3]))
    (line,) = (tmp_path / "logs" / "daemon.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == "π\nand \x00"
