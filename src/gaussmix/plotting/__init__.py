"""Plots of fitted mixtures on matplotlib axes. Needs the ``plot`` extra.

Every function draws on the axes it is given, by default the current ones, and returns them; none
shows or saves a figure. Only `plot_pairs` takes and returns an array of axes. Text and other
neutral ink has the colour of the axes' own labels; components take the colours of the style's
cycle in turn. Where there are more components than colours, further rounds of the cycle are
blended with the ink, so that no two are equal.

Legends lie where nothing is drawn. Where there is no such place the axes reach higher, unless
their limits have been set.

Of more than 20,000 rows a random 20,000 are shown, the same ones each time, and points are drawn
as pixels also in vector formats, so that a picture of a million rows is as quick and as small as
one of a few thousand.
"""

# The modules; in a comment, as the text above is a page of the documentation:
#
#    single           plots of one model: components, density, responsibilities
#    pairs            pairs of columns, with each column's density
#    profile          means of the components, in standard deviations
#    scores           log-densities of rows, and a threshold
#    contributions    what the features of a row contribute to its log-density
#    uncertainty      where components are not told apart
#    several          plots of one model or several: criteria, and the course of fits
#    regions          highest-density regions, and the density in them
#    marks            what stands for rows and components
#    labels           numbers and weights of components, clear of one another
#    legends          legends where they cover nothing
#    frame            how far axes reach
#    view             what a plot shows: features of a model, rows, and the axes they go to
#    style            colours, and ticks
#    checks           what is given to be plotted, and the messages about it

try:
    import matplotlib.pyplot  # noqa: F401
except ImportError as error:
    raise ImportError(
        "gaussmix.plotting needs matplotlib; install it with: pip install 'gaussmix[plot]'"
    ) from error

from .contributions import plot_contributions
from .pairs import plot_pairs
from .profile import plot_profile
from .scores import plot_scores
from .several import plot_convergence, plot_criteria
from .single import plot_covariances, plot_density, plot_responsibilities
from .uncertainty import plot_uncertainty

__all__ = [
    "plot_contributions",
    "plot_convergence",
    "plot_covariances",
    "plot_criteria",
    "plot_density",
    "plot_pairs",
    "plot_profile",
    "plot_responsibilities",
    "plot_scores",
    "plot_uncertainty",
]

# Where users have them from.
for _plot in (
    plot_contributions, plot_convergence, plot_covariances, plot_criteria, plot_density,
    plot_pairs, plot_profile, plot_responsibilities, plot_scores, plot_uncertainty,
):  # fmt: skip
    _plot.__module__ = __name__
