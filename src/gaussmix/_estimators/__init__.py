"""What the public estimators share.

    standardising   fits to standardised columns, told in the columns' own units
    interchange     to scikit-learn's class and back, and its names of methods
    online          steps: update, partial_fit, retire, revive
    imputing        missing values filled in
    explanations    why a row scores as it does: contributions, Mahalanobis distances
    conditionals    some columns: marginals, conditionals, distributions, quantiles
    geometry        components as ellipsoids: volumes, shapes, orientations
    sampling        rows drawn
    containers      rows that are drawn or filled in, as tables
    scoring         densities, responsibilities, labels and criteria of rows
    criteria        AIC and BIC, with the number of parameters that they count; R^2
    fitting         fit, and the sums of one pass
    base            fitted attributes: read, replaced together, kept in a file; rows, a scorer
    kept            what the fitted arrays were at the last use, and what was made of them
    agreement       arrays that a user has set: checked, and made one mixture
    sklearn_api     what scikit-learn expects of an estimator, without importing it
    hooks           its private methods that a subclass may have, and nothing here calls

Each class here adds methods to `base.BaseMixture`, and calls nothing that is not below it.
"""
