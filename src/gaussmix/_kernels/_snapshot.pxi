# What was there before, and whether it still is.

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.string cimport memcmp, strcmp


def unchanged(dict state, tuple names, list given, list held, list copies):
    """Whether entries of a dictionary are what they were, in every byte.

    Parameters
    ----------
    state : dict
    names : tuple of str
    given : list
        The objects that stood there, None where none did.
    held : list
        The arrays to look into, where they are not those in `state`, which then must be the same
        objects as `given`; None to look into whatever stands there now.
    copies : list
        C-contiguous arrays to compare with, which must stay as they are; None where the same
        object will do.

    What is no C-contiguous array is not the same as a copy.
    """
    cdef int i
    for i in range(len(names)):
        value = state.get(names[i])
        copy = copies[i]
        looked_into = held[i]
        if looked_into is not None or copy is None:
            if value is not given[i]:
                return False
            value = looked_into
        if copy is not None and not same_array(copy, value):
            return False
    return True


cdef bint same_array(copy, array) except -1:
    cdef Py_buffer kept, view
    PyObject_GetBuffer(copy, &kept, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    try:
        try:
            PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        except (BufferError, TypeError, ValueError):
            return False
        same = (
            view.ndim == kept.ndim
            and memcmp(view.shape, kept.shape, kept.ndim * sizeof(Py_ssize_t)) == 0
            and strcmp(view.format, kept.format) == 0
            and memcmp(view.buf, kept.buf, kept.len) == 0
        )
        PyBuffer_Release(&view)
        return same
    finally:
        PyBuffer_Release(&kept)
