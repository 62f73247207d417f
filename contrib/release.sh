#!/usr/bin/env bash
# The checklist of a release, which runs: contrib/release.sh [DIRECTORY]
#
# Builds the source distribution, from it the wheels for this machine and for any, into DIRECTORY (dist), and tries them
# as users will: in new environments, with no compiler in sight. Says how long that takes and how large it is. The tests
# are not run here (.ci/run), nor is anything published: the workflow does that, for a tag.
#
# PYTHON -- the interpreter (python3); LIMIT -- seconds from a wheel to the first report (20)
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath -m "${1:-dist}")
python=${PYTHON:-python3}
limit=${LIMIT:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

step() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'release: %s\n' "$*" >&2
  exit 1
}
size() { du -sk "$@" | awk '{ octets += $1 } END { printf "%.1f MB", octets / 1024 }'; }
seconds() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

step "The version, in one place, and what is new in it"
version=$("$python" -c 'import runpy; print(runpy.run_path("pcapdiag/version.py")["VERSION"])')
grep -q "^## $version\( \|$\)" CHANGELOG.md || fail "CHANGELOG.md has no section for $version"
if [ "${GITHUB_REF_TYPE:-}" = tag ] && [ "$GITHUB_REF_NAME" != "v$version" ]; then
  fail "the tag $GITHUB_REF_NAME is not v$version"
fi
if [ -d .git ] && [ -n "$(git status --porcelain)" ]; then
  echo "What is not committed is in this build, too."
fi
echo "$version"

step "Build"
"$python" -m venv "$scratch/tools"
"$scratch/tools/bin/pip" install -q build check-wheel-contents twine
rm -f "$out"/pcapdiag-*
"$scratch/tools/bin/python" -m build -q --outdir "$out" . >"$scratch/log" 2>&1 || { cat "$scratch/log" && fail "no build"; }
mkdir "$scratch/source"
tar -xzf "$out/pcapdiag-$version.tar.gz" -C "$scratch/source" --strip-components=1
PCAPDIAG_COMPILE=no "$scratch/tools/bin/python" -m build -q --wheel --outdir "$out" "$scratch/source" \
  >"$scratch/log" 2>&1 || { cat "$scratch/log" && fail "no build without a compiler"; }
"$scratch/tools/bin/twine" check --strict "$out"/*
"$scratch/tools/bin/check-wheel-contents" "$out"/*.whl
ls -sh1 "$out"

first=$(grep -om1 'pcapdiag analyze captures/[^ ]*' README.md | cut -d' ' -f2-) || fail "README.md has no first command"
capture=$(realpath "${first#analyze }")

for wheel in "$out"/*.whl; do
  step "A new environment without a compiler: $(basename "$wheel")"
  home=$scratch/$(basename "$wheel" .whl)
  began=$EPOCHREALTIME
  "$python" -m venv "$home"
  # Nothing but the environment is in the PATH: neither a compiler nor anything else can help.
  (
    PATH=$home/bin
    hash -r
    if command -v cc gcc clang; then exit 1; fi
    pip install -q --disable-pip-version-check --only-binary :all: "$wheel"
    pcapdiag analyze "$capture"
  ) >"$scratch/report" || [ $? -eq 1 ] || fail "the first command of README.md"
  took=$(seconds "$began")
  sed -n '/^━━/,/^$/p' "$scratch/report"
  grep -q '^STALLED after MM5' "$scratch/report" || fail "the report is another one"
  "$home/bin/pcapdiag" --version
  "$home/bin/pcapdiag" doctor >"$scratch/doctor" || fail "$(cat "$scratch/doctor")"
  echo "To the first report: $took s; environment: $(size "$home")"
  awk -v took="$took" -v limit="$limit" 'BEGIN { exit took > limit }' || fail "more than $limit s"
done

step "Without pandas"
"$python" -m venv --without-pip "$scratch/bare"
pip=("$scratch/tools/bin/pip" -q --disable-pip-version-check --python "$scratch/bare/bin/python" install --no-deps)
"${pip[@]}" click dpkt jinja2 markupsafe msgspec "$out/pcapdiag-$version"-py3-none-any.whl
"$scratch/bare/bin/pcapdiag" analyze -q "$capture" || [ $? -eq 1 ] || fail "a report needs more"
"$scratch/bare/bin/pcapdiag" doctor >/dev/null || fail "doctor says that analyze does not run"
echo "Environment: $(size "$scratch/bare")"

step "Manual pages and completion"
pages=("$scratch/bare/share/man/man1"/*.1)
if command -v mandoc >/dev/null; then mandoc -T lint -W warning "${pages[@]}" || fail "mandoc has something to say"; fi
echo "${#pages[@]} pages"
for shell in bash zsh fish; do
  "$scratch/bare/bin/pcapdiag" completion "$shell" >"$scratch/completion"
  if command -v "$shell" >/dev/null; then "$shell" -n "$scratch/completion" || fail "completion of $shell"; fi
done

step "Ready: $version"
