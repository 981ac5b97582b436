"""Entry points of the kernels that draw: rows of a mixture, and the noise of rows drawn elsewhere.

Compiled once for each instruction set, in double precision only; as in `_em.pyx` nobody checks
arguments. What is drawn at a place depends on the key, on the number of the place's row and on
that of its draw, see `_random.pxi`: not on which places come along, in what order, or on what
thread. So lanes are rows until all values of a row are there, and only then rows are laid out:
each goes through the same operations wherever it lies.
"""

from libc.stdint cimport uint64_t, uintptr_t
from libc.string cimport memset

import numpy

from gaussmix._kernels._threads cimport parallel_for

include "_simd.pxi"
include "_real.pxi"
include "_random.pxi"


cdef struct Tile:
    # Some places, and their numbers with lanes = places; memory for all is rounded up.
    Py_ssize_t capacity         # doubles from one normal number of a place to its next
    uint64_t *row
    uint64_t *draw
    double *uniforms
    double *normals             # (4 n_blocks - 2, capacity)


cdef void lay_out_tile(
    Scratch *scratch, Py_ssize_t most, Py_ssize_t d, Tile *tile
) noexcept nogil:
    """Divide memory among the parts of a tile of at most so many places."""
    # Vectors that begin anywhere in the tile end in it.
    tile.capacity = round_up(most, STRIP) + STRIP
    tile.row = <uint64_t *> take(scratch, tile.capacity * sizeof(uint64_t))
    tile.draw = <uint64_t *> take(scratch, tile.capacity * sizeof(uint64_t))
    tile.uniforms = <double *> take(scratch, tile.capacity * sizeof(double))
    tile.normals = <double *> take(
        scratch, (4 * n_blocks(d) - 2) * tile.capacity * sizeof(double)
    )


cdef inline void fill_up(Tile *tile, Py_ssize_t n) noexcept nogil:
    """Some place or other where the last vector has no more."""
    cdef Py_ssize_t i
    for i in range(n, round_up(n, VL)):
        tile.row[i] = tile.draw[i] = 0


# --- Rows of a mixture ----------------------------------------------------------------------

cdef struct Drawing:
    uint64_t key[5]
    uint64_t first_row
    Py_ssize_t n
    Py_ssize_t d
    Py_ssize_t K
    const double *until         # (K,)
    const double *means         # (K, d)
    const double *scales        # (K or 1, d)
    Py_ssize_t scale_stride
    const double *factors       # (K or 1, d, d) or NULL
    Py_ssize_t factor_stride
    void *rows                  # (n, d)
    bint single
    Py_ssize_t *labels          # (n,)
    Py_ssize_t chunk_rows
    Py_ssize_t tile_rows
    Py_ssize_t begin            # chunk with which the round begins
    char *scratch
    Py_ssize_t scratch_stride


cdef struct Chunk:
    # Rows whose components are found before they are drawn, so that those of one lie together.
    Py_ssize_t first
    Py_ssize_t n
    Py_ssize_t stride           # doubles from the first normal number of a row to its second
    uint64_t *row
    uint64_t *draw              # zeros
    double *uniforms
    double *normals             # (2, stride) the first two of each row
    Py_ssize_t *order           # (n,) rows, those of a component beside each other
    Py_ssize_t *places          # (K,) scratch
    double *drawn               # (d, STRIP) rows of one component less its mean
    Tile tile


def draw_rows(
    const uint64_t[::1] key,                # IN (4,)
    Py_ssize_t first_row,                   # number of the first row
    const double[::1] until,                # IN (K,) cumulative weights, the last of them 1
    const double[:, ::1] means,             # IN (K, d)
    const double[:, ::1] scales,            # IN (K or 1, d) of normal numbers; with factors one
                                            #    over their diagonals
    const double[:, :, ::1] factors,        # IN (K or 1, d, d) upper triangular, or None
    real[:, ::1] rows,                      # OUT (n, d)
    Py_ssize_t[::1] labels,                 # OUT (n,)
    Py_ssize_t chunk_rows,
    Py_ssize_t tile_rows,
    Py_ssize_t round_chunks,                # chunks between two looks for a signal
    int n_threads,
):
    """Rows  mean_k + z inv(U_k)  or  mean_k + scale_k z  and their components k."""
    cdef Drawing call
    cdef Py_ssize_t begin, n_chunks
    cdef char[::1] scratch
    memset(&call, 0, sizeof(Drawing))
    copy_key(key, call.key)
    call.first_row = first_row
    call.n = rows.shape[0]
    call.d = means.shape[1]
    call.K = means.shape[0]
    call.until = &until[0]
    call.means = &means[0, 0]
    call.scales = &scales[0, 0]
    call.scale_stride = call.d if scales.shape[0] > 1 else 0
    if factors is not None:
        call.factors = &factors[0, 0, 0]
        call.factor_stride = call.d * call.d if factors.shape[0] > 1 else 0
    call.rows = &rows[0, 0]
    call.single = real is float
    call.labels = &labels[0]
    call.chunk_rows = min(chunk_rows, call.n)
    call.tile_rows = min(tile_rows, call.chunk_rows)
    call.scratch_stride = thread_bytes(&call)
    scratch = numpy.empty(call.scratch_stride * n_threads, dtype=numpy.int8)
    call.scratch = &scratch[0]
    n_chunks = (call.n + call.chunk_rows - 1) // call.chunk_rows
    for begin from 0 <= begin < n_chunks by round_chunks:
        call.begin = begin
        parallel_for(draw_chunk, &call, min(round_chunks, n_chunks - begin), n_threads)


cdef void copy_key(const uint64_t[::1] key, uint64_t *own) noexcept:
    cdef Py_ssize_t i
    for i in range(4):
        own[i] = key[i]
    set_parity(own)


cdef Py_ssize_t thread_bytes(const Drawing *call) noexcept nogil:
    """Scratch for one thread, with a page between two threads' parts."""
    cdef Chunk chunk
    return lay_out_chunk(call, NULL, &chunk) + 4096


cdef Py_ssize_t lay_out_chunk(const Drawing *call, char *memory, Chunk *chunk) noexcept nogil:
    cdef Scratch scratch
    cdef Py_ssize_t row
    scratch.start = <char *> aligned(memory) if memory != NULL else NULL
    scratch.used = 0
    chunk.stride = round_up(call.chunk_rows, VL)
    row = chunk.stride * sizeof(double)
    chunk.row = <uint64_t *> take(&scratch, row)
    chunk.draw = <uint64_t *> take(&scratch, row)
    chunk.uniforms = <double *> take(&scratch, row)
    chunk.normals = <double *> take(&scratch, 2 * row)
    chunk.order = <Py_ssize_t *> take(&scratch, row)
    chunk.places = <Py_ssize_t *> take(
        &scratch, call.K * sizeof(Py_ssize_t) if apart(call) else 0
    )
    chunk.drawn = <double *> take(
        &scratch, call.d * STRIP * sizeof(double) if call.factors != NULL else 0
    )
    lay_out_tile(&scratch, call.tile_rows, call.d, &chunk.tile)
    return scratch.used + 64


cdef inline bint apart(const Drawing *call) noexcept nogil:
    """Each component has a factor of its own."""
    return call.factors != NULL and call.factor_stride > 0


cdef void draw_chunk(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    cdef const Drawing *call = <const Drawing *> argument
    cdef Chunk chunk
    cdef Py_ssize_t i, start
    lay_out_chunk(call, call.scratch + thread * call.scratch_stride, &chunk)
    chunk.first = (call.begin + item) * call.chunk_rows
    chunk.n = min(call.chunk_rows, call.n - chunk.first)
    for i in range(chunk.stride):
        chunk.row[i] = call.first_row + <uint64_t> (chunk.first + i)
        chunk.draw[i] = 0
    first_block(
        call.key, chunk.row, chunk.draw, chunk.n, chunk.uniforms, chunk.normals, chunk.stride
    )
    for i in range(chunk.n):
        call.labels[chunk.first + i] = component_at(call.until, call.K, chunk.uniforms[i])
    if apart(call):
        order_by_component(call, &chunk)
    else:
        for i in range(chunk.n):
            chunk.order[i] = i
    for start from 0 <= start < chunk.n by call.tile_rows:
        draw_tile(call, &chunk, start, min(call.tile_rows, chunk.n - start))


cdef inline Py_ssize_t component_at(
    const double *until, Py_ssize_t K, double u
) noexcept nogil:
    """The first component with until[k] > u, none of weight zero; in range whatever comes."""
    cdef Py_ssize_t half, k = 0
    while K > 1:
        half = K // 2
        k += half if until[k + half - 1] <= u else 0
        K -= half
    return k


cdef void order_by_component(const Drawing *call, Chunk *chunk) noexcept nogil:
    cdef Py_ssize_t i, k, n, start = 0
    cdef const Py_ssize_t *labels = call.labels + chunk.first
    memset(chunk.places, 0, call.K * sizeof(Py_ssize_t))
    for i in range(chunk.n):
        chunk.places[labels[i]] += 1
    for k in range(call.K):
        n = chunk.places[k]
        chunk.places[k] = start
        start += n
    for i in range(chunk.n):
        k = labels[i]
        chunk.order[chunk.places[k]] = i
        chunk.places[k] += 1


cdef void draw_tile(
    const Drawing *call, Chunk *chunk, Py_ssize_t start, Py_ssize_t n
) noexcept nogil:
    """Draw the rows start..start+n in the order of the chunk."""
    cdef Py_ssize_t end = start + n, last, size
    cdef Tile *tile = &chunk.tile
    take_first_numbers(chunk, start, n, tile)
    later_blocks(call.key, tile.row, tile.draw, n, call.d, tile.normals, tile.capacity)
    clear_beyond(tile, n, call.d)
    if call.factors == NULL:
        write_any_rows(call, chunk, start, n, tile.normals, tile.capacity)
        return
    last = start
    while last < end:
        size = 1
        while size < min(<Py_ssize_t> STRIP, end - last) and (
            not apart(call) or label_of(call, chunk, last + size) == label_of(call, chunk, last)
        ):
            size += 1
        solve_rows(
            call, label_of(call, chunk, last), size, tile.normals + (last - start),
            tile.capacity, chunk.drawn,
        )
        write_any_rows(call, chunk, last, size, chunk.drawn, STRIP)
        last += size


cdef inline Py_ssize_t label_of(
    const Drawing *call, const Chunk *chunk, Py_ssize_t i
) noexcept nogil:
    return call.labels[chunk.first + chunk.order[i]]


cdef void take_first_numbers(
    const Chunk *chunk, Py_ssize_t start, Py_ssize_t n, Tile *tile
) noexcept nogil:
    """The places of a tile, and the two normal numbers of each that the chunk has."""
    cdef Py_ssize_t i, place
    for i in range(n):
        place = chunk.order[start + i]
        tile.row[i] = chunk.row[place]
        tile.draw[i] = chunk.draw[place]
        tile.normals[i] = chunk.normals[place]
        tile.normals[tile.capacity + i] = chunk.normals[chunk.stride + place]
    fill_up(tile, n)


cdef void clear_beyond(Tile *tile, Py_ssize_t n, Py_ssize_t d) noexcept nogil:
    """A vector of zeros behind the places in use: one that begins among them may end there."""
    cdef Py_ssize_t j
    for j in range(d):
        vstore(tile.normals + j * tile.capacity + n, vset1(0.0))


# --- x U = z for rows of one component ------------------------------------------------------

cdef void solve_rows(
    const Drawing *call, Py_ssize_t k, Py_ssize_t n, const double *z, Py_ssize_t stride,
    double *x,                  # OUT (d, STRIP)
) noexcept nogil:
    """x from z for at most a strip of rows, in as many vectors as they need."""
    cdef const double *factor = call.factors + k * call.factor_stride
    cdef const double *scale = call.scales + k * call.scale_stride
    if n > 2 * VL:
        solve_vectors(3, call.d, factor, scale, z, stride, x)
    elif n > VL:
        solve_vectors(2, call.d, factor, scale, z, stride, x)
    else:
        solve_vectors(1, call.d, factor, scale, z, stride, x)


cdef inline void solve_vectors(
    Py_ssize_t nv,              # vectors of rows; a constant
    Py_ssize_t d, const double *factor, const double *scale, const double *z, Py_ssize_t stride,
    double *x,
) noexcept nogil:
    cdef Py_ssize_t c, whole = d - d % OUTER_ROWS
    for c from 0 <= c < whole by OUTER_ROWS:
        solve_columns(OUTER_ROWS, nv, c, d, factor, scale, z, stride, x)
    for c in range(whole, d):
        solve_columns(1, nv, c, d, factor, scale, z, stride, x)


cdef inline void solve_columns(
    Py_ssize_t h,               # columns; a constant
    Py_ssize_t nv, Py_ssize_t first, Py_ssize_t d, const double *factor, const double *scale,
    const double *z, Py_ssize_t stride,
    double *x,                  # INOUT (d, STRIP), of which the columns before are there
) noexcept nogil:
    """x_c = (z_c - sum over j < c of x_j U[j, c]) / U[c, c], one j after the other."""
    cdef Py_ssize_t i, j, q, v
    cdef vec acc[8][3]
    cdef vec y[3]
    cdef vec u
    for i in range(h):
        for v in range(nv):
            acc[i][v] = vload(z + (first + i) * stride + v * VL)
    for j in range(first):
        for v in range(nv):
            y[v] = vload(x + j * STRIP + v * VL)
        for i in range(h):
            u = vset1(factor[j * d + first + i])
            for v in range(nv):
                acc[i][v] = acc[i][v] - u * y[v]
    for i in range(h):
        j = first + i
        for v in range(nv):
            y[v] = acc[i][v] * vset1(scale[j])
            vstore(x + j * STRIP + v * VL, y[v])
        for q in range(i + 1, h):
            u = vset1(factor[j * d + first + q])
            for v in range(nv):
                acc[q][v] = acc[q][v] - u * y[v]


# --- From lanes to rows ---------------------------------------------------------------------

cdef void write_any_rows(
    const Drawing *call, const Chunk *chunk, Py_ssize_t start, Py_ssize_t n, const double *x,
    Py_ssize_t stride,
) noexcept nogil:
    if call.single:
        write_rows[float](call, chunk, start, n, x, stride, <float *> call.rows)
    else:
        write_rows[double](call, chunk, start, n, x, stride, <double *> call.rows)


cdef void write_rows(
    const Drawing *call, const Chunk *chunk, Py_ssize_t start, Py_ssize_t n,
    const double *x,            # IN (d, stride)
    Py_ssize_t stride,
    real *rows,                 # OUT
) noexcept nogil:
    """Scale rows that are in the order of the chunk, unless that was done, add their means, and
    put them in their places: groups of VL rows by transposition, and the last columns one by one.
    """
    cdef Py_ssize_t i, j, k, r, m, place, d = call.d, whole = d - d % VL
    cdef bint scaled = call.factors == NULL
    cdef const double *mean[8]
    cdef const double *scale[8]
    cdef real *out[8]
    for i from 0 <= i < n by VL:
        m = min(<Py_ssize_t> VL, n - i)
        for r in range(m):
            place = chunk.first + chunk.order[start + i + r]
            k = call.labels[place]
            mean[r] = call.means + k * d
            scale[r] = call.scales + k * call.scale_stride
            out[r] = rows + place * d
        for j from 0 <= j < whole by VL:
            write_block(m, j, scaled, x + j * stride + i, stride, mean, scale, out)
        if d - whole == 1:
            write_columns(m, whole, whole + 1, scaled, x + i, stride, mean, scale, out)
        elif d - whole == 2:
            write_columns(m, whole, whole + 2, scaled, x + i, stride, mean, scale, out)
        else:
            write_columns(m, whole, d, scaled, x + i, stride, mean, scale, out)


cdef inline void write_block(
    Py_ssize_t m, Py_ssize_t j, bint scaled, const double *x, Py_ssize_t stride,
    const double **mean, const double **scale, real **out,
) noexcept nogil:
    """VL columns, from column j on, of m rows."""
    cdef Py_ssize_t i, r
    cdef vec block[16]
    for i in range(VL):
        block[i] = vload(x + i * stride)
    transpose(VL, block)
    for r in range(m):
        if scaled:
            block[r] = block[r] * vload(scale[r] + j)
        block[r] = block[r] + vload(mean[r] + j)
        if real is float:
            vstore_float(out[r] + j, block[r])
        else:
            vstore_double(out[r] + j, block[r])


cdef inline void write_columns(
    Py_ssize_t m, Py_ssize_t begin, Py_ssize_t end, bint scaled, const double *x,
    Py_ssize_t stride, const double **mean, const double **scale, real **out,
) noexcept nogil:
    cdef Py_ssize_t j, r
    for r in range(m):
        if scaled:
            for j in range(begin, end):
                out[r][j] = <real> (mean[r][j] + scale[r][j] * x[j * stride + r])
        else:
            for j in range(begin, end):
                out[r][j] = <real> (mean[r][j] + x[j * stride + r])


# --- Noise of rows that are drawn elsewhere -------------------------------------------------

def draw_noise(
    const uint64_t[::1] key,                # IN (4,)
    const Py_ssize_t[::1] rows,             # IN (n,) their numbers
    double[:, ::1] uniforms,                # OUT (n, n_draws) in [0, 1)
    double[:, :, ::1] normals,              # OUT (n, n_draws, m)
    Py_ssize_t tile_rows,
    Py_ssize_t first_draw,
):
    """The uniform number and the m normal ones of some draws of each row, from one draw on."""
    cdef uint64_t own[5]
    cdef Tile tile
    cdef Py_ssize_t start, n_draws = uniforms.shape[1], n = rows.shape[0] * n_draws
    cdef Py_ssize_t m = normals.shape[2]
    cdef char[::1] scratch
    copy_key(key, own)
    tile_rows = min(tile_rows, n)
    scratch = numpy.empty(lay_out_noise(NULL, tile_rows, m, &tile), dtype=numpy.int8)
    lay_out_noise(&scratch[0], tile_rows, m, &tile)
    with nogil:
        for start from 0 <= start < n by tile_rows:
            noise_of_tile(
                own, &rows[0], start, min(tile_rows, n - start), n_draws, first_draw, m, &tile,
                &uniforms[0, 0], &normals[0, 0, 0] if m > 0 else NULL,
            )


cdef Py_ssize_t lay_out_noise(
    char *memory, Py_ssize_t most, Py_ssize_t m, Tile *tile
) noexcept nogil:
    cdef Scratch scratch
    scratch.start = <char *> aligned(memory) if memory != NULL else NULL
    scratch.used = 0
    lay_out_tile(&scratch, most, m, tile)
    return scratch.used + 64


cdef void noise_of_tile(
    const uint64_t *key, const Py_ssize_t *rows, Py_ssize_t start, Py_ssize_t n,
    Py_ssize_t n_draws, Py_ssize_t first_draw, Py_ssize_t m, Tile *tile,
    double *uniforms,           # OUT
    double *normals,            # OUT
) noexcept nogil:
    """Noise of the places start..start+n, of which each row has n_draws."""
    cdef Py_ssize_t i, j
    for i in range(n):
        tile.row[i] = rows[(start + i) // n_draws]
        tile.draw[i] = first_draw + (start + i) % n_draws
    fill_up(tile, n)
    first_block(key, tile.row, tile.draw, n, tile.uniforms, tile.normals, tile.capacity)
    later_blocks(key, tile.row, tile.draw, n, m, tile.normals, tile.capacity)
    for i in range(n):
        uniforms[start + i] = tile.uniforms[i]
        for j in range(m):
            normals[(start + i) * m + j] = tile.normals[j * tile.capacity + i]
