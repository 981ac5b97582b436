# Squared distances to seeding candidates, for k-means++.

cdef void add_potentials(
    const Job *job, const Tile *tile, const double *closest, double *potentials
) noexcept nogil:
    """potentials[l] += weight * min(closest, |x - candidate l|^2) over the tile's rows."""
    cdef Py_ssize_t i, k
    cdef const double *score
    for k in range(job.K):
        score = tile.scores + k * tile.capacity
        for i in range(tile.n):
            if tile.weight[i] > 0.0:
                potentials[k] += tile.weight[i] * min(closest[tile.first + i], -score[i])


cdef void lower_closest_distances(const Tile *tile, double *closest) noexcept nogil:
    """closest = min(closest, |x - candidate|^2) for the one candidate of the job."""
    cdef Py_ssize_t i
    for i in range(tile.n):
        closest[tile.first + i] = min(closest[tile.first + i], -tile.scores[i])
