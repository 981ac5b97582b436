# The type of the values of rows.

ctypedef fused real:
    float
    double
