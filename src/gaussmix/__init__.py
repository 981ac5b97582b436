"""Gaussian mixtures with scikit-learn's interface, fast on CPU servers.

This module only names things. The library, from the top down; a module imports only from those
below it:

    __main__           python -m gaussmix
    cli                the command line, a file a command
    plotting           plots on matplotlib axes; imported by nothing here
    imputation         GaussianMixtureImputer, a scikit-learn transformer
    mixture            GaussianMixture: parameters, fit, predict, score, sample
    _conditionals      a name that pickles of earlier versions have
    _estimators        what the public estimators share: fitted state, fits, scores and the rest
    _online            running statistics of data that keeps coming, and steps from them
    _row_sets          rows that a user gives: asked once whether array, source or dask
    distributed        names that dask graphs of earlier versions have
    _dask_rows         dask collections: one task a partition, statistics merge as a tree
    _dask_tasks        what workers do with a partition
    _dask_collections  what a dask collection is, its partitions, and what computes with them
    _completing        rows with missing values completed: means, deviations, draws
    _draws             random numbers that belong to a place: rows of a mixture, noise
    _fitting           a fit: EM from one or several starts, over rows wherever they are
    _em                the EM loop: iterate, converge, restart
    _acceleration      SQUAREM: extrapolates the iterates of EM
    _recovery          what becomes of a component that collapses
    _initialization    where EM starts: k-means, k-means++, random, given parameters
    _data              what a fit asks of rows, wherever they are; what they are read with
    _scorer            rows scored: passes that write a value for each
    _accumulate        statistics of rows: the ways to form them, and the passes that do
    _kmeans_passes     passes of k-means: nearest centres, and distances
    _sums              one pass that sums: cuts the rows up, calls the kernels
    _row_sum           a sum over all rows, the same in whatever pieces they come
    _incomplete        passes over rows with missing values, grouped by pattern
    _available         starts where values are missing: of those that are available
    _digits            whether moments have the digits that an M-step needs
    _scores            how the kernels find scores: exact or expanded, double or single precision
    _streamed          rows that come in pieces and are read anew in every pass
    _read_ahead        what a thread of its own reads while others compute
    sources            where such rows come from: files, Arrow data, anything re-iterable
    _partition         how rows are cut into tiles, chunks and partial sums
    _rows              the rows of a data matrix: blocks, weights, a centre, a first look
    _first_pass        what a first look finds: how many rows, and where their columns lie
    _patterns          rows grouped by which of their values are missing
    _thinning          a sample of rows that one pass takes without knowing how many come
    _conditioning      marginals and conditionals of a mixture, from its parameters
    _agreement         arrays that a user has set: checked, and made one mixture
    _mstep             from statistics to parameters: the M-step, the covariance families
    _statistics        SufficientStatistics: what a pass returns; add, scale, shift, merge
    _parameters        MixtureParameters; the layouts of covariances, and all that follows
    _algebra           products and factors of matrices, the same bits whatever comes along
    _runtime           this machine: which instruction set, how many threads
    _kernels           compiled code: E-step and sums in one pass (Cython); the threads
    _build_config      what this build contains (written by Meson)

Beside that order, for any of the above to use:

    _layouts           the covariance families by name, and the shapes of their covariances
    _univariate        distribution functions and quantiles in one dimension
    _settings          the constructor parameters: defaults, checks, words, files, options
    _checks            checks of user input and the messages about it, a file a subject
    _common            what any module may use: types, texts in messages, warnings
    exceptions         the exceptions and warnings of the library
    _validation        names that pickles of earlier versions have
    _persistence       a name that pickles of earlier versions have
    _progress          what a fit reports while it runs
    _files             model files; tables in CSV, .npy and Parquet files; files replaced whole

One arrow carries everything: rows and parameters go into `_accumulate.accumulate`, which returns
`SufficientStatistics`; `_mstep.maximize` turns those into new parameters.
"""

from gaussmix._build_config import VERSION as __version__
from gaussmix._estimators.conditionals import ConditionalPrediction
from gaussmix._runtime.config import show_config
from gaussmix._statistics.sufficient import SufficientStatistics
from gaussmix.exceptions import (
    ConvergenceWarning,
    IllDefinedCovarianceError,
    InvalidParameterError,
    ModelFileError,
    NotFittedError,
)
from gaussmix.imputation import GaussianMixtureImputer
from gaussmix.mixture import GaussianMixture, load

__all__ = [
    "ConditionalPrediction",
    "ConvergenceWarning",
    "GaussianMixture",
    "GaussianMixtureImputer",
    "IllDefinedCovarianceError",
    "InvalidParameterError",
    "ModelFileError",
    "NotFittedError",
    "SufficientStatistics",
    "__version__",
    "load",
    "show_config",
]
