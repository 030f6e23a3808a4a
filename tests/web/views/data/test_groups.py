"""The page of a polarimetry group."""

from __future__ import annotations

from iop4d.config import Site
from iop4d.web.app import create_app
from tests.web.conftest import execute


def test_it_shows_its_frames_with_their_angles_fates_and_results(own: Site) -> None:
    execute(own, "INSERT INTO \"group\" (id, source, telescope, instrument, night, band, "
            "exptime_s, binning, state, reason, angles, changed_at) VALUES (1, '2200+420', 'T220', "
            "'CAFOS', '2025-11-22', 'R', 120, 1, 'short', 'two positions are missing', "
            "'[0.0, 22.5]', 0)")
    execute(own, "UPDATE frame SET group_id = 1, polariser_deg = 22.5 * (id - 1) WHERE id < 3")
    execute(own, "UPDATE frame SET state = 'failed', reason = 'clouds' WHERE id = 2")
    execute(own, "UPDATE result SET group_id = 1, p = 0.1, p_err = 0.01 WHERE id = 1")
    client = create_app(own).test_client()
    page = client.get("/groups/1").text
    for what in ("two positions are missing", "0.0°", "22.5°", "clouds", 'href="/frames/1"',
                 'href="/results/1"', "short"):
        assert what in page
    assert client.get("/groups/2").status_code == 404
    assert 'href="/groups/1"' in client.get("/frames/1").text
