# shellcheck shell=bash
# Sourced by the scripts beside it. Sets `root`, this checkout, and `scratch`, a folder that goes when
# the script ends, and changes to `$scratch/gaussmix`, a clean copy of the checkout.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The files git tracks or would track: nothing ignored or left over from an earlier build.
mkdir "$scratch/gaussmix"
git -C "$root" ls-files -z --cached --others --exclude-standard |
  tar -C "$root" --null --files-from=- -cf - | tar -C "$scratch/gaussmix" -xf -
cd "$scratch/gaussmix"

title() { printf '\n== %s\n\n' "$*"; }

# GROUP [PYTHON]: a new environment, $scratch/GROUP, with what the dependency group in pyproject.toml
# names.
environment_of_group() {
  "${2:-python}" -m venv "$scratch/$1"
  "$scratch/$1/bin/python" - "$1" > "$scratch/$1.txt" << 'END'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["dependency-groups"][sys.argv[1]], sep="\n")
END
  "$scratch/$1/bin/pip" install --quiet --requirement "$scratch/$1.txt"
}
