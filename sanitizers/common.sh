# shellcheck shell=bash
# What the scripts of this directory share: a clean copy of the checkout, an environment of its
# own, a build with the flags that are given, and the proof that a detector detects. Sourced, not
# run. Needs `python` >= 3.11 (or the interpreter that PYTHON names) and access to a package index.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python=$scratch/venv/bin/python

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# need COMMAND PACKAGE: stop if a command is missing, and say which package of Debian has it.
need() {
  command -v "$1" > /dev/null || fail "no command '$1'; on Debian and Ubuntu: apt-get install $2"
}

# sanitizer NAME: where the compiler has a sanitizer's library. The interpreter is not instrumented,
# so the library has to be there before it.
sanitizer() {
  local path
  path=$("$CC" -print-file-name="$1.so")
  [[ $path == /* ]] || fail "$CC has no $1; on Debian and Ubuntu: apt-get install gcc"
  echo "$path"
}

# build SETUP_ARGUMENT...: copy what git tracks or would track, so that nothing left over from an
# earlier build is used, and install it with what its tests need, compiled with debug information
# and these arguments of `meson setup`. Leaves the copy as the current directory.
build() {
  local argument options=(--config-settings=setup-args=-Dbuildtype=debugoptimized)
  for argument in "$@"; do
    options+=("--config-settings=setup-args=$argument")
  done
  mkdir "$scratch/gaussmix"
  git -C "$checkout" ls-files -z --cached --others --exclude-standard |
    tar -C "$checkout" --null --files-from=- -cf - | tar -C "$scratch/gaussmix" -xf -
  cd "$scratch/gaussmix"
  "${PYTHON:-python}" -m venv "$scratch/venv"
  "$python" -m pip install --quiet --disable-pip-version-check "${options[@]}" \
    '.[test]' 'Cython>=3.3'
}

# build_canary FLAG...: compile canary.pyx, which has the faults to detect, with these flags.
build_canary() {
  mkdir "$scratch/canary"
  "$python" -m cython -3 -X boundscheck=False -X wraparound=False -I src \
    sanitizers/canary.pyx -o "$scratch/canary/canary.c"
  "$CC" -shared -fPIC -g -O1 "$@" -Isrc/gaussmix/_kernels \
    -I"$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')" \
    "$scratch/canary/canary.c" -o "$scratch/canary/canary.so"
}

# canary CALL COMMAND...: let COMMAND, an interpreter under a detector, make a call of canary.pyx.
# `doubles` in it is a new array of 2^14 zeros: work enough that every thread gets some.
canary() {
  local call=$1
  shift
  PYTHONPATH=$scratch/canary "$@" -c "
import numpy
from canary import *
doubles = numpy.zeros(1 << 14)
$call"
}

# must_report PATTERN CALL COMMAND...: the call has to fail, with a report that has the pattern.
must_report() {
  local pattern=$1 call=$2
  shift 2
  if canary "$call" "$@" > "$scratch/report" 2>&1; then
    fail "$call has a fault that was not reported: nothing here would be"
  fi
  grep -q "$pattern" "$scratch/report" || {
    cat "$scratch/report" >&2
    fail "$call failed without a report of '$pattern'"
  }
  echo "$call: reported, as it must be"
}

# must_not_report CALL COMMAND...: the call has to succeed.
must_not_report() {
  local call=$1
  shift
  canary "$call" "$@" > "$scratch/report" 2>&1 || {
    cat "$scratch/report" >&2
    fail "$call has no fault, yet one was reported: reports here mean nothing"
  }
  echo "$call: not reported, as it must not be"
}
