# What the scripts that test the tools share; sourced as the first thing: `. "${0%/*}/harness.sh"`.
# shellcheck shell=bash
# A script is called as `bash script.sh BUILD_DIR/bin` and works in $tmp, which goes when it ends.
set -u -o pipefail
PATH=$(cd "$1" && pwd):/usr/bin:$PATH
tmp=$(mktemp -d "${TMPDIR:-/tmp}/atelier-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
checks=0 faults=0 last=

fault() {
  faults=$((faults + 1))
  printf '%s: %s\n' "$last" "$1"
  sed 's/^/  stderr: /' "$tmp/stderr" | head -5
}
# check WHAT command...: a condition that is no program of ours.
check() {
  last=$1
  checks=$((checks + 1))
  "${@:2}" >/dev/null 2>&1 || fault 'is not so'
}
# status N command...: runs it; its output goes to $tmp/stdout and $tmp/stderr.
status() {
  local want=$1 got=0
  shift
  last="$*"
  "$@" >"$tmp/stdout" 2>"$tmp/stderr" || got=$?
  checks=$((checks + 1))
  [ "$got" = "$want" ] || fault "expected status $want, found $got"
}
# stdout_is TEXT: exactly, after printf has seen its escapes.
stdout_is() {
  checks=$((checks + 1))
  printf '%b' "$1" | cmp -s - "$tmp/stdout" || fault "expected other output than $(head -c 200 "$tmp/stdout")"
}
# A line of the output matches an extended regular expression.
stdout_has() {
  checks=$((checks + 1))
  grep -qaE -e "$1" "$tmp/stdout" || fault "expected '$1' on standard output"
}
stderr_has() {
  checks=$((checks + 1))
  grep -qF -e "$1" "$tmp/stderr" || fault "expected '$1' on standard error"
}
# same_bytes COMMAND...: with -o FILE, two runs, any number of threads and both levels write the same
# file; it stays as one.h5.
same_bytes() {
  status 0 "$@" -j 1 -o one.h5
  status 0 "$@" -j 3 -o three.h5
  status 0 "$@" -j 2 -o two.h5
  status 0 cmp one.h5 two.h5
  status 0 cmp one.h5 three.h5
  if grep -q avx512dq /proc/cpuinfo; then
    status 0 env ATELIER_ISA=avx512 "$@" -o wide.h5
    status 0 env ATELIER_ISA=avx2 "$@" -o narrow.h5
    status 0 cmp narrow.h5 wide.h5
  else
    echo "skipped: levels above avx2: this CPU has none"
  fi
}
# value KEY FILE: the figure in what model-eval printed into FILE.
value() { sed -n "s/^$1: \([^ ]*\).*/\1/p" "$2"; }
# is EXPRESSION: an arithmetic comparison of awk.
is() { status 0 awk "BEGIN { exit !($1) }" </dev/null; }
# refused TEXT TOOL...: status 1, one line on standard error that begins with the tool's name and
# holds TEXT; x.h5 is as it was and nothing is left beside it. The words of `as` run the tool.
as=()
refused() {
  local text=$1
  shift
  echo 'the old file' >x.h5
  status 1 ${as[@]+"${as[@]}"} "$@"
  stderr_has "$text"
  checks=$((checks + 1))
  if [ "$(wc -l <stderr)" != 1 ] || ! grep -q "^${1##*/}: " stderr; then
    fault 'expected one line with the name of the tool'
  fi
  grep -qx 'the old file' x.h5 || fault 'the old file is gone'
  [ -z "$(find . -name '.*.tmp')" ] || fault "left: $(find . -name '.*.tmp')"
}
# unread COMMAND...: with standard output a pipe that nobody reads any more.
unread() {
  local got=0
  exec 9> >(:)
  wait $!
  "$@" >&9 9>&- || got=$?
  exec 9>&-
  return $got
}
finish() {
  echo "summary: ${0##*/}: $checks checks, $faults faults"
  [ "$faults" = 0 ]
  exit
}
