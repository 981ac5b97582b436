#!/usr/bin/env bash
# The kernels under ThreadSanitizer: races.py runs every kernel on several threads, alone and from
# many Python threads at once, then come the tests of concurrency. A race reported fails the run.
#
# Not with Clang, whose ThreadSanitizer does not see accesses of more than 16 bytes, which are most
# of what the kernels do; and the pool's loop alone, since it knows nothing of OpenMP's: archer.sh.
#
# Needs GCC with its sanitizer library (Debian: gcc libtsan2), setarch (util-linux), Python >= 3.11
# with headers, a package index. Takes about 4 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export CC=${CC:-gcc}
need "$CC" gcc
need setarch util-linux
library=$(sanitizer libtsan)

build -Db_sanitize=thread -Db_lundef=false
build_canary -march=native -fsanitize=thread

sanitized=(
  # Without randomised addresses: the sanitizer wants its shadow at fixed ones.
  setarch -R env "LD_PRELOAD=$library" GAUSSMIX_NUM_THREADS=4 GAUSSMIX_THREADING=pool
  # Python and NumPy are not instrumented: what their locks order counts, their accesses do not.
  TSAN_OPTIONS=ignore_noninstrumented_modules=1:exitcode=66
  "$python"
)
must_report 'data race.*vadd_to' 'race(doubles, 4)' "${sanitized[@]}"
must_not_report 'no_race(doubles, 4)' "${sanitized[@]}"

"${sanitized[@]}" sanitizers/races.py
"${sanitized[@]}" -m pytest -p no:cacheprovider --capture=sys tests/robustness/test_concurrency.py
echo "tsan.sh: passed: no race reported"
