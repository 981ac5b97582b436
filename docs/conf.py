"""Sphinx's configuration: `sphinx-build -W docs docs/_build/html` from the repository's folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import matplotlib as mpl
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import gaussmix

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

# Pages are built where there is no screen, and pictures must not depend on a user's settings.
mpl.use("agg")
mpl.rcdefaults()

project = "gaussmix"
author = "gaussmix developers"
copyright = "gaussmix developers"
version = release = gaussmix.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "figures"]
nitpicky = True
# What docstrings name that is none of ours: NumPy's, scikit-learn's and matplotlib's words. Their
# own pages cannot be asked, as the documentation is built without a network.
nitpick_ignore_regex = [("py:.*", r"(?!gaussmix\.).*")]

html_theme = "furo"
html_math_renderer = "mathml"
html_title = f"gaussmix {release}"
html_static_path = ["_static"]
html_css_files = ["gaussmix.css"]
html_theme_options = {"navigation_with_keys": True}
pygments_dark_style = "monokai"

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "dollarmath", "fieldlist"]

default_role = "code"  # of `name` in docstrings
python_maximum_signature_line_length = 80
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give types with shapes and defaults
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = False

# Prompts and what was printed are not copied with a command.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

plot_formats = [("png", 160)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_include_source = True

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    # A folder a subject, in the order in which a reader meets them.
    "subsection_order": [
        f"examples/{subject}"
        for subject in (
            "choosing",
            "densities",
            "missing",
            "conditionals",
            "streams",
            "plots",
            "operations",
        )
    ],
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e6,
    "write_computation_times": False,
    "matplotlib_animations": False,
}


def name_files_outside(app: Sphinx, name: str, source: list[str]) -> None:
    """Links to files of the repository that are no pages become their names.

    The same text is read in the repository, where the links lead somewhere.
    """

    def named(link: re.Match[str]) -> str:
        text, path = link.groups()
        return f"`{path}`" if text == path else f"{text} (`{path}` in the repository)"

    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./([^)]+)\)", named, source[0])


def visit_formula(self: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """A formula as MathML, which browsers set by themselves: no script, and no network."""
    block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=block)
    self.body.append(f'<div class="math">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.connect("source-read", name_files_outside)
    app.add_html_math_renderer("mathml", (visit_formula, None), (visit_formula, None))
