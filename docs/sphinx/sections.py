"""What stands in the documentation, in which order: its first page and the pages of its parts."""

from __future__ import annotations

from collections.abc import Iterable

#: Part: its title, what it is for, and its pages.
SECTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "tutorial": ("Tutorial", "From nothing to the first results of your own camera.",
                 ("getting-started",)),
    "how-to": ("How to", "Steps for one purpose each.",
               ("telescopes", "instruments", "indexes", "archives", "catalogue", "polarimetry",
                "alerts", "channels", "triggers", "summaries", "atel", "web", "external", "service",
                "operations", "postgresql", "scale", "moving-from-iop4")),
    "reference": ("Reference", "Every command, key, column, flag and address.",
                  ("site-file", "commands", "reference/commands", "results", "reference/columns",
                   "api", "reference/addresses", "library")),
    "notebooks": ("Notebooks", "Worked examples on simulated frames, run when these pages are made;"
                  " each is a plain script in docs/notebooks.",
                  ("notebooks/light_curves", "notebooks/reduce_by_hand",
                   "notebooks/astrometry_in_detail", "notebooks/dipol_quads",
                   "notebooks/polarimetry", "notebooks/rule", "notebooks/channel",
                   "notebooks/instrument", "notebooks/calibrators", "notebooks/flare_to_telegram")),
    "explanation": ("Explanation", "Why it is so: the science with its equations, what errors mean,"
                    " what was measured, what was decided.",
                    ("architecture", "science", "reliability", "security", "numbers", "glossary",
                     "licences", "decisions/index", "changelog")),
}

_FIRST = """\
# iop4d

iop4d watches the archives of a few telescopes and turns every raw frame, within seconds of its
arrival, into calibrated magnitudes and polarisation of the blazars that a group follows. It sends a
message when a source flares, sums up every night, drafts Astronomer's Telegrams, and shows
everything live on a small web site.

![Tonight: what works, what fires, what each telescope and source does](images/tonight.png)

"""


def first_page() -> str:
    """The page index, which leads to the parts."""
    return _FIRST + "".join(f"- [{title}]({name}.md): {says}\n"
                            for name, (title, says, _) in SECTIONS.items()) + _tree(SECTIONS)


def part(name: str) -> str:
    """The page of a part, which leads to its pages."""
    title, says, pages = SECTIONS[name]
    return f"# {title}\n\n{says}\n" + _tree(pages, depth=2 if len(pages) > 1 else 3)


def _tree(pages: Iterable[str], depth: int = 0) -> str:
    options = f":maxdepth: {depth}" if depth else ":hidden:"
    names = "\n".join(pages)
    return f"\n```{{toctree}}\n{options}\n\n{names}\n```\n"
