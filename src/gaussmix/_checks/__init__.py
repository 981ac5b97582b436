"""Every check of what a user passes in, and what exceptions and warnings say.

    rows             X: an array of real numbers, or an error that says why not
    columns          names of columns, and which of them a user chooses
    given            values of columns that a user chooses
    targets          y, what is to be predicted
    weights          sample weights
    mixtures         weights, means, covariances and components of a mixture
    outputs          arrays that results are written to
    arrays           arrays beside the rows
    tables           tables of pandas, polars and Arrow, read as arrays
    numbers          which values are numbers, and in which precision they are computed with
    parameters       constructor parameters, and random generators
    arguments        numbers, flags and words that methods take
    messages         exceptions and warnings that several places raise

The functions here look at input and either return it in the form the rest of the package reads, or
raise an exception that names the argument, the value and what to do. They import nothing but the
standard library and NumPy: tables (pandas, polars, Arrow), sparse matrices and scikit-learn's
exception classes are recognised by what they look like, or by what is already loaded.

Where scikit-learn has a sentence for a failure, its words are used, because programs look for
them.
"""
