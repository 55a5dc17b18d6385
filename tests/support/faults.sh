# System calls that fail on purpose, by strace; sourced by the short and the long proof. A command
# is judged by its status, its message, what it leaves and what it must not have touched.
# shellcheck shell=bash

# The sanitizer's leak check cannot work under strace.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
can_inject() { [ "$(strace -qq -o /dev/null -e inject=fsync:error=EIO:when=1 echo works 2>/dev/null)" = works ]; }

changing_calls=write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,rename,renameat,renameat2

# reference command...: runs it whole with its calls traced; then `calls` holds "CALL NUMBER" lines
# of those that change files. Only the first thread may make them.
reference() {
  strace -f -qq -y -o reference.trace -e trace=$changing_calls,openat,mkdir "$@" >stdout 2>stderr || { cat stderr; return 1; }
  awk 'NR == 1 { main = $1 } { name = $2; sub(/\(.*/, "", name); n[$1 " " name]++ }
    name ~ /^(openat|mkdir)$/ && !/O_CREAT|O_DIRECTORY|^[0-9]+ +mkdir/ { next }
    name == "write" && /write\([12]</ { next }
    $1 != main { print "a thread calls " name > "/dev/stderr"; exit 1 }
    { print name, n[$1 " " name] }' reference.trace >calls
}

# inject CALL WHEN ERROR command...: WHEN as strace knows it: 5, or 5+ for the fifth and all later.
inject() {
  local call=$1 when=$2 error=$3
  shift 3
  got=0
  strace -qq -y -s 400 -o trace -e trace="$call,rename" -e inject="$call:error=$error:when=$when" "$@" >stdout 2>stderr || got=$?
}

# The file whose call failed, as a message should name it; for a directory the one just renamed,
# unless it was to be listed.
failed_file() {
  local path
  path=$(sed -n '/(INJECTED)$/ {
    s/^rename[a-z0-9]*(.*, "\([^"]*\)"[^"]*$/\1/p; t end
    s/^openat(.*O_TMPFILE.*/\/#0/p; t end
    s/^openat([^,]*, "\([^"]*\)".*/\1/p; t end
    s/^mkdir("\([^"]*\)".*/\1/p; t end
    s/^[a-z0-9]*([0-9]*<\([^>]*\)>.*/\1/p
    :end
    q }' trace)
  if [ -d "$path" ] && ! grep -q '^mkdir.*INJECTED' trace && ! grep -qF " $path: cannot list: " stderr; then
    path=$(sed -n '/(INJECTED)$/q; s/^rename("[^"]*", "\([^"]*\)") *= 0$/\1/p' trace | tail -n 1)
  fi
  case $path in *atelier-spool* | */#[0-9]*) echo spool && return ;; esac
  path=${path##*/}
  printf '%s\n' "$path" | sed 's/^\.\(.*\)\.[0-9]*\.[0-9]*\.tmp$/\1/'
}

# judge PROGRAM OUTPUT OLD NEW REASON: sets verdict: "clean", or what is wrong. The output is still
# OLD, or NEW if it had been replaced before the call failed.
judge() {
  local program=$1 output=$2 want=$3 new=$4 reason=$5 name
  verdict=clean
  name=$(failed_file)
  # When every later write fails, standard error does so too: what it was given counts then.
  [ -s stderr ] || sed -n 's/^write(2<[^>]*>, "\(.*\)\\n", .*(INJECTED)$/\1/p' trace >stderr
  grep -q "^rename(\"[^\"]*\", \"$output\") *= 0" trace && want=$new
  if ! grep -q '(INJECTED)$' trace; then
    verdict='nothing was made to fail'
  elif [ "$got" != 1 ]; then
    verdict="status $got"
  elif [ "$(wc -l <stderr)" != 1 ] || ! grep -qE "^$program: .*$reason\$" stderr; then
    verdict="message: $(head -c 300 stderr)"
  elif ! grep -qF "$name" stderr; then
    verdict="message without $name: $(cat stderr)"
  elif ! cmp -s "$output" "$want"; then
    verdict="$output is neither as before nor whole"
  elif [ -n "$(find . -name '.*.tmp')" ]; then
    verdict="left: $(find . -name '.*.tmp' | head -n 1)"
  fi
}

reason_of() { case $1 in EIO) echo 'Input/output error' ;; ENOSPC) echo 'No space left on device' ;; EACCES) echo 'Permission denied' ;; EDQUOT) echo 'Disk quota exceeded' ;; esac; }

# sweep NAME PROGRAM OUTPUT ERRORS STEP -- command...: fails each STEP-th of its calls, once with
# each error and, with the first error, together with all later ones. An earlier OUTPUT must
# survive; each case begins with the state that `prepare` makes. Adds to cases and faults; kinds
# counts the calls by name.
sweep() {
  local label=$1 program=$2 output=$3 errors=$4 stride=$5 call number error when row=0
  shift 6
  echo 'an earlier file' >old
  prepare
  reference "$@" || { faults=$((faults + 1)); return; }
  cp "$output" new
  while read -r call number; do
    row=$((row + 1))
    [ $((row % stride)) = 0 ] || continue
    for when in $number $number+; do
      for error in $errors; do
        [ "$when" = "$number" ] || [ "$error" = "${errors%% *}" ] || continue
        prepare
        cp old "$output"
        inject "$call" "$when" "$error" "$@"
        judge "$program" "$output" old new "$(reason_of "$error")"
        [ "$verdict" != clean ] || still_whole
        cases=$((cases + 1))
        [ "$verdict" = clean ] && continue
        faults=$((faults + 1))
        echo "$label: $call $when $error: $verdict"
      done
    done
  done <calls
  echo "$label: $(cut -d' ' -f1 calls | sort | uniq -c | awk '{ printf "%s%s %s", s, $1, $2; s = ", " }')"
}
