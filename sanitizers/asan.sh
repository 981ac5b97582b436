#!/usr/bin/env bash
# The test suite with the kernels under AddressSanitizer and UndefinedBehaviorSanitizer: accesses
# outside an allocation or after its end, overflow of signed integers, shifts, misalignment. The
# first report ends the run and fails it. Arguments go to pytest, for instance
#
#     sanitizers/asan.sh tests/estep/test_kernels.py -k evaluate
#
# Needs GCC with its sanitizer libraries (Debian: gcc libasan8 libubsan1), Python >= 3.11 with
# headers, a package index. Takes about 10 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export CC=${CC:-gcc}
need "$CC" gcc
libraries=$(sanitizer libasan)
libraries+=" $(sanitizer libubsan)"

build -Db_sanitize=address,undefined -Db_lundef=false
build_canary -march=native -fsanitize=address,undefined

sanitized=(
  env "LD_PRELOAD=$libraries"
  # Objects from malloc, not from Python's own pools, which the sanitizer cannot see into.
  PYTHONMALLOC=malloc
  # No leaks: Python frees little at its end. Huge allocations fail as they do without the
  # sanitizer; faults on pages that a test protects kill, as that test expects.
  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:handle_segv=0
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  "$python"
)
must_report 'READ of size' 'read_beyond_the_end(doubles)' "${sanitized[@]}"
must_report 'WRITE of size' 'write_beyond_the_end(doubles)' "${sanitized[@]}"
must_report heap-use-after-free 'use_after_free()' "${sanitized[@]}"
must_report 'signed integer overflow' 'square(2**32)' "${sanitized[@]}"
must_not_report 'add_within(doubles)' "${sanitized[@]}"
must_not_report 'square(2**31)' "${sanitized[@]}"

if [[ $# == 0 ]]; then
  # Not the tests that put a malloc of their own in the place of the sanitizer's, nor the one that
  # measures memory, of which the sanitizer keeps what is freed, nor the one that numbers system
  # calls, as the sanitizer makes more of them, now so many and now others.
  set -- tests --ignore=tests/robustness/test_memory.py \
    --deselect=tests/estimators/test_mixture.py::test_fit_needs_no_memory_for_each_row \
    --deselect=tests/files/test_model_files.py::test_killed_at_any_moment
fi
"${sanitized[@]}" -m pytest -p no:cacheprovider --capture=sys "$@"
echo "asan.sh: passed: no report from AddressSanitizer or UndefinedBehaviorSanitizer"
