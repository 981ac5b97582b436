#!/usr/bin/env bash
# The loop of OpenMP under ThreadSanitizer, with Archer, which tells it by what OpenMP's threads wait
# for each other: races.py runs every kernel on teams of threads, alone and from many Python threads
# at once. A race reported fails the run. The pool's loop: tsan.sh.
#
# With Clang, whose runtime Archer belongs to. Its ThreadSanitizer does not see accesses of more than
# 16 bytes, so only the narrowest instruction set is built.
#
# Needs Clang with its OpenMP (Debian: clang libomp-dev), setarch (util-linux), Python >= 3.11 with
# headers and its library, a package index. Takes about 4 minutes on two cores.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export CC=${CC:-clang}
need "$CC" clang
need setarch util-linux
archer=$("$CC" -print-resource-dir)/../../libarcher.so
[[ -e $archer ]] || fail "$CC has no Archer; on Debian and Ubuntu: apt-get install libomp-dev"

build -Db_sanitize=thread -Db_lundef=false -Dopenmp=enabled -Dinstruction_sets=
build_canary -fsanitize=thread

# An interpreter with the sanitizer in it: Clang's cannot be loaded before one that is without.
watched=$scratch/venv/bin/watched-python
libraries=$("$python" -c 'from sysconfig import get_config_var as of
print("-L" + of("LIBDIR"), "-Wl,-rpath," + of("LIBDIR"), "-lpython" + of("LDVERSION"))')
# shellcheck disable=SC2086 # several words
"$CC" -fsanitize=thread -rdynamic -x c -o "$watched" - $libraries << 'EOF'
int Py_BytesMain(int argc, char **argv);
int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }
EOF

sanitized=(
  # Without randomised addresses: the sanitizer wants its shadow at fixed ones.
  setarch -R env "OMP_TOOL_LIBRARIES=$archer" GAUSSMIX_THREADING=openmp GAUSSMIX_NUM_THREADS=4
  # Python, NumPy and the runtime are not instrumented: what their locks order counts, their
  # accesses do not.
  TSAN_OPTIONS=ignore_noninstrumented_modules=1:exitcode=66
  "$watched"
)
must_report 'data race.*add_to' 'race(doubles, 4)' "${sanitized[@]}"
must_not_report 'no_race(doubles, 4)' "${sanitized[@]}"

"${sanitized[@]}" sanitizers/races.py
echo "archer.sh: passed: no race reported"
