#!/usr/bin/env bash
# The kernels' tests under Valgrind's memcheck, which unlike AddressSanitizer also sees decisions
# made on memory that nobody has written. Any report fails the run, but for those of CPython that
# valgrind.supp explains. Arguments go to pytest in place of the chosen tests.
#
# Valgrind runs no AVX-512 and tells programs so: of the tests those of x86v3, the widest it runs,
# are chosen, and of these not the ones that repeat a pass for every layout of the same rows, or draw
# the same rows in many ways.
#
# Needs Valgrind (Debian: valgrind), a C compiler, Python >= 3.11 with headers, a package index.
# Takes about 20 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export CC=${CC:-cc}
need "$CC" gcc
need valgrind valgrind

build
build_canary -march=x86-64-v3

checked=(
  # Objects from malloc, not from Python's own pools, which Valgrind cannot see into.
  env PYTHONMALLOC=malloc
  # No leaks: Python frees little at its end.
  valgrind --quiet --error-exitcode=99 --exit-on-first-error=yes --leak-check=no
  --num-callers=20 "--suppressions=$checkout/sanitizers/valgrind.supp"
  "$python"
)
must_report 'Invalid read' 'read_beyond_the_end(doubles)' "${checked[@]}"
must_report 'Invalid write' 'write_beyond_the_end(doubles)' "${checked[@]}"
must_report 'Invalid read' 'use_after_free()' "${checked[@]}"
must_report 'depends on uninitialised' 'any_positive(3)' "${checked[@]}"
must_not_report 'add_within(doubles)' "${checked[@]}"
must_not_report 'any_positive(4)' "${checked[@]}"

if [[ $# == 0 ]]; then
  set -- -k 'x86v3 and not layouts and not threads_and_cuts' \
    tests/estep/test_kernels.py tests/estep/test_products.py tests/estep/test_sparse_shares.py \
    tests/estimators/test_draws.py
fi
"${checked[@]}" -m pytest -p no:cacheprovider --capture=sys "$@"
echo "valgrind.sh: passed: no report from memcheck"
