"""R's mclust, in Rscript."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from shapes import Start

from libraries import Missing
from libraries.program import Program, Run, run

MODELS = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}


def installed() -> dict[str, str]:
    """Versions of R and mclust, with the BLAS that R uses."""
    script = (
        'cat(paste(R.version$major, R.version$minor, sep = "."), '
        'as.character(packageVersion("mclust")), basename(extSoftVersion()[["BLAS"]]))'
    )
    try:
        r, mclust, blas = run(["Rscript", "-e", script]).split()
    except (Missing, RuntimeError) as error:
        raise Missing(f"mclust is not installed (r-base-core, r-cran-mclust): {error}") from None
    return {"mclust": mclust, "R": r, "R's BLAS": blas}


class Mclust(Program):
    name = "mclust"
    differences = (
        "Fortran on one thread, with an array of n x K. Nothing is added to the diagonal of a "
        "covariance. Its time is taken in R, without reading the rows, to the millisecond."
    )
    agreement = 1e-4

    def versions(self) -> dict[str, str]:
        return VERSIONS

    def command(self, start: Start, X: np.ndarray, n_iter: int, folder: Path) -> list[str]:
        n, d = X.shape
        script = str(Path(__file__).with_suffix(".R"))
        files = [str(folder / "START"), str(folder / "ROWS")]
        numbers = [str(value) for value in (n, d, len(start.weights), n_iter)]
        model = MODELS[start.covariance_type]
        return ["Rscript", script, model, *files, *numbers, str(folder / "OUT")]

    def iterations(self, model: Run) -> int:
        return abs(int(model.words[1]))  # negative where the limit ended it


VERSIONS = installed()
ADAPTER = Mclust()
