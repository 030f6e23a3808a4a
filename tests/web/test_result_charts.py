"""The plots of a result's page."""

from __future__ import annotations

from iop4d.web.result_charts import calibrators


def test_a_star_leads_to_its_history_whatever_is_in_its_name() -> None:
    """An old fault: the address of a star called "BL Lac #3" ended at the sign."""
    uses = [{"source": name, "zero_point": 22.3, "zero_point_err": 0.01, "residual": 0.0,
             "weight": 0.5} for name in ("BL Lac #3", "2200+420 B", "50 % star?")]
    drawn = str(calibrators({"calibrators": uses, "result": {
        "zero_point": 22.3, "zero_point_err": 0.005}}, "/iop4d/results/7"))
    for address in ("BL%20Lac%20%233", "2200%2B420%20B", "50%20%25%20star%3F"):
        assert f'href="/iop4d/results/7/stars/{address}"' in drawn
