"""How Sphinx makes the documentation. ``make docs`` runs ``build.py``, which gathers the pages."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from iop4d import __version__  # noqa: E402 - of the tree that this file is in

project = "iop4d"
author = "the authors of iop4d"
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton",
              "formulas"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 4
nb_custom_formats = {".nb.py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
copybutton_prompt_text = "$ "
autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "pydata_sphinx_theme"
html_title = "iop4d"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_static_path = [str(HERE / "static")]
html_css_files = ["iop4d.css"]
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False,
                      "secondary_sidebar_items": ["page-toc"], "show_toc_level": 2,
                      "footer_start": ["copyright"], "footer_end": []}
project_copyright = "the authors of iop4d"
html_sidebars = {"index": []}
