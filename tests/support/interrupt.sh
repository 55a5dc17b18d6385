# Stopping and killing a training at chosen instants, and telling from outside what it was doing;
# sourced by the short and the long proofs of resumption.
# shellcheck shell=bash

# temporaries DIRECTORY [PID]: files that an atomic write has begun, of one process or of any.
temporaries() { find "$1" -name ".*.${2:-*}.*.tmp"; }
# The newest checkpoint of a run; nothing if there is none or the run has no directory yet.
newest_step() { { find "$1" -maxdepth 1 -name 'step-*.h5' 2>/dev/null || true; } | sort | tail -n 1; }

# freeze PID: stops all of its threads where they are. Fails if the process has ended.
freeze() {
  kill -STOP "$1" 2>/dev/null || return 1
  local state
  for _ in $(seq 2000); do
    state=$(sed 's/^.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 1
    case $state in T) return 0 ;; Z | X | '') return 1 ;; esac
  done
  return 1
}

# last_step RUN: the last update that is recorded.
last_step() { { sed -n 's/^{"step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" 2>/dev/null || true; } | tail -n 1; }

# phase RUN LOG: what a frozen process was doing, by the last line about it that it wrote with -vv.
phase() {
  case $(grep -aE '^[a-z]+-train: phase ' "$2" | tail -n 1) in
    *': phase validate: '*) echo validation ;;
    *': phase draw: '*) echo grid ;;
    *': phase save: '*/best.h5) echo 'save of best.h5' ;;
    *': phase save: '*/step-*) echo save ;;
    *': phase save: '*) echo 'save of the output' ;;
    *': phase train: '*) echo training ;;
    *) if [ -n "$(last_step "$1")" ]; then echo training; else echo start; fi ;;
  esac
}

# same_run DIRECTORY OUTPUT DIRECTORY OUTPUT: the final model, the newest checkpoint, the best one
# and all grids are the same bytes; prints what is not.
same_run() {
  local fault=0 kept
  cmp "$2" "$4" || fault=1
  kept=$(basename "$(newest_step "$1")")
  cmp "$1/$kept" "$3/$kept" || fault=1
  [ "$kept" = "$(basename "$(newest_step "$3")")" ] || { echo "$3: $kept is not the newest"; fault=1; }
  cmp "$1/best.h5" "$3/best.h5" || fault=1
  if [ -e "$1/samples" ]; then diff -rq "$1/samples" "$3/samples" || fault=1; fi
  [ -z "$(temporaries .)" ] || { temporaries . | sed "s,$,: left,"; fault=1; }
  return $fault
}

now() { date +%s.%N; }
uniform() { awk "BEGIN { printf \"%.4f\", ($RANDOM * 32768 + $RANDOM) / 1073741824 * $1 }"; }

# stop_once RUN OUTPUT SECONDS SIGNAL THREADS command...: runs it with so many threads, sends the
# signal after SECONDS, goes on with --resume and threads drawn anew to the end. Sets hit (phase), at
# (last update recorded before the signal), stopped and resumed (statuses); hit is "too late" if the
# run was over before.
stop_once() {
  local run=$1 output=$2 seconds=$3 signal=$4 threads=$5 pid
  shift 5
  rm -rf "$run" "$output"
  stopped=0 resumed=0
  "$@" -j "$threads" -vv --run-dir "$run" -o "$output" 2>stderr &
  pid=$!
  sleep "$seconds"
  if ! freeze "$pid"; then
    hit='too late'
    wait "$pid"
    return
  fi
  hit=$(phase "$run" stderr)
  at=$(last_step "$run")
  kill "-$signal" "$pid"
  kill -CONT "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || stopped=$?
  [ $stopped = 0 ] || "$@" -j $((RANDOM % 3 + 1)) --run-dir "$run" --resume -o "$output" 2>stderr || resumed=$?
}

# stop_is_right SIGNAL STEPS: status 75, or 0 when the last update was done already, or the signal
# itself when it cannot be caught or came before the training began; the rest of the run succeeded.
stop_is_right() {
  [ "$resumed" = 0 ] || { echo "resumed run: status $resumed"; return 1; }
  case $1:$stopped in
    KILL:137 | TERM:75 | USR1:75) return 0 ;;
    TERM:143 | USR1:138) [ "$hit" = start ] && return 0 ;;
    *:0) [ "$at" = "$2" ] && return 0 ;;
  esac
  echo "stopped run: status $stopped"
  return 1
}

# straight_runs SECONDS command...: uninterrupted runs with 1, 2 and 3 threads, of about that length
# on this machine and none below 22 s, as straight and straight.h5. Sets steps and lengths[THREADS];
# fails if a byte depends on the threads.
straight_runs() {
  local seconds=$1 begin threads shortest
  shift
  rm -rf pilot pilot.h5
  begin=$(now)
  "$@" --steps 200 -j 2 --run-dir pilot -o pilot.h5 2>/dev/null
  steps=$(awk "BEGIN { n = int($seconds * 200 / ($(now) - $begin) / 10) * 10; print (n > 200 ? n : 200) }")
  rm -rf pilot pilot.h5
  while :; do
    lengths=()
    for threads in 1 2 3; do
      rm -rf "straight-$threads" "straight-$threads.h5"
      begin=$(now)
      "$@" --steps "$steps" -j "$threads" --run-dir "straight-$threads" -o "straight-$threads.h5" 2>/dev/null
      lengths[threads]=$(awk "BEGIN { printf \"%.1f\", $(now) - $begin }")
    done
    shortest=$(printf '%s\n' "${lengths[@]}" | sort -n | head -n 1)
    ! awk "BEGIN { exit !($shortest >= 22) }" || break
    steps=$((steps * 3 / 2))
  done
  for threads in 2 3; do
    same_run straight-1 straight-1.h5 "straight-$threads" "straight-$threads.h5" || return 1
    rm -rf "straight-$threads" "straight-$threads.h5"
  done
  rm -rf straight straight.h5
  mv straight-1 straight
  mv straight-1.h5 straight.h5
  echo "uninterrupted runs: $steps updates, ${lengths[1]} s with 1 thread, ${lengths[2]} s with 2, ${lengths[3]} s with 3; bytes equal"
}

# random_stops STOPS INSIDE command...: that many stops of the straight run by SIGTERM, SIGUSR1 or
# SIGKILL, at instants uniform over the length of the run with as many threads, more if fewer than
# INSIDE were inside a save, a validation or a grid, each resumed to its end; prints each instant,
# those too that came after the end, and a summary. Fails if a byte differs.
random_stops() {
  local wanted=$1 wanted_inside=$2 stops=0 inside=0 late=0 different=0 signals=(TERM USR1 KILL) signal instant threads verdict
  shift 2
  rm -rf broken broken.h5 failed-*
  while [ $stops -lt "$wanted" ] || [ $inside -lt "$wanted_inside" ]; do
    [ $((stops + late)) -lt $((3 * wanted)) ] || break
    threads=$((RANDOM % 3 + 1))
    instant=$(uniform "${lengths[threads]}")
    signal=${signals[RANDOM % 3]}
    stop_once broken broken.h5 "$instant" "$signal" $threads "$@" --steps "$steps"
    if [ "$hit" = 'too late' ]; then
      late=$((late + 1))
      printf 'too late: SIG%-4s at %5.1f of %5.1f s, %d threads\n' "$signal" "$instant" "${lengths[threads]}" $threads
      continue
    fi
    stops=$((stops + 1))
    case $hit in save* | validation | grid) inside=$((inside + 1)) ;; esac
    verdict=equal
    if ! stop_is_right "$signal" "$steps" || ! same_run straight straight.h5 broken broken.h5; then
      verdict=DIFFERENT different=$((different + 1))
      rm -rf "failed-$stops" && cp -r broken "failed-$stops"
    fi
    printf 'stop %2d: SIG%-4s at %5.1f of %5.1f s, %d threads, inside: %-18s status %3d, resumed: %s\n' \
      $stops "$signal" "$instant" "${lengths[threads]}" $threads "$hit" "$stopped" $verdict
  done
  echo "summary: stops: $stops of runs of ${lengths[1]}, ${lengths[2]}, ${lengths[3]} s with 1, 2, 3 threads, $inside inside a save, validation or grid, $different with other bytes; $late more instants came after the end"
  [ $different = 0 ] && [ $stops -ge "$wanted" ] && [ $inside -ge "$wanted_inside" ]
}

# kill_once RUN OUTPUT SECONDS command...: begins or resumes the run and kills it after SECONDS.
# Sets left (temporaries of the killed process), newest (checkpoint now) and outcome: "whole",
# "ended" if the run was over before, else what is wrong. $newest must be empty at first.
kill_once() {
  local run=$1 output=$2 seconds=$3 before=${newest:-} pid status=0
  shift 3
  [ -e "$run" ] || before=
  "$@" --run-dir "$run" --resume -o "$output" 2>stderr &
  pid=$!
  sleep "$seconds"
  freeze "$pid" && kill -KILL "$pid"
  wait "$pid" 2>/dev/null || status=$?
  newest=$(newest_step "$run")
  left=$(temporaries . "$pid" | wc -l)
  outcome=whole
  if [ $status = 0 ]; then
    outcome=ended
  elif [ $status != 137 ]; then
    outcome="status $status: $(tail -n 1 stderr)"
  elif [ -z "$newest" ]; then
    [ -z "$before" ] || outcome='no checkpoint is left'
  elif [[ $newest < $before ]]; then
    outcome="older than $before"
  elif ! model-info --check "$newest" >checked 2>&1; then
    outcome="$(cat checked)"
  elif grep -q 'passed over' stderr || { [ -n "$before" ] && grep -q 'resumed from' stderr && ! grep -q "resumed from $before at" stderr; }; then
    outcome="not resumed from $before"
  elif [ -e "$run/metrics.jsonl" ] && grep -q 'resumed from' stderr && [ "$(temporaries . | wc -l)" != "$left" ]; then
    # shellcheck disable=SC2034  # read by the scripts that source this
    outcome='earlier temporaries are left'
  fi
}

# random_kills KILLS INSIDE STEPS command...: a run that saves after every update, killed so many
# times at instants uniform over a tenth of its length, more if fewer than INSIDE were inside a save,
# as the temporary that it leaves proves. After each kill the newest checkpoint is whole and not older
# than the one before, the next run goes on from that one, and removes what the killed one left. A run
# that gets to its end has the bytes of one that was never killed. Prints each and a summary.
random_kills() {
  local wanted=$1 wanted_inside=$2 steps=$3 kills=0 inside=0 ended=0 faults=0 begin length last
  shift 3
  rm -rf straight straight.h5 broken broken.h5 failed-*
  last=$(printf 'step-%08d.h5' "$steps")
  begin=$(now)
  "$@" --steps "$steps" --save-every 1 --run-dir straight -o straight.h5 2>/dev/null
  length=$(awk "BEGIN { printf \"%.1f\", $(now) - $begin }")
  echo "uninterrupted run: $steps updates and saves of $(($(stat -c %s "straight/$last") / 1000000)) MB in $length s"
  newest=
  while [ $kills -lt "$wanted" ] || [ $inside -lt "$wanted_inside" ]; do
    [ $kills -lt $((3 * wanted)) ] || break
    kill_once broken broken.h5 "$(uniform "$(awk "BEGIN { print $length / 10 }")")" "$@" --steps "$steps" --save-every 1
    if [ "$outcome" = ended ]; then
      ended=$((ended + 1))
      cmp straight.h5 broken.h5 || faults=$((faults + 1))
      cmp "straight/$last" "broken/$last" || faults=$((faults + 1))
      rm -rf broken broken.h5
      continue
    fi
    kills=$((kills + 1))
    [ "$left" = 0 ] || inside=$((inside + 1))
    [ "$outcome" = whole ] || { faults=$((faults + 1)); rm -rf "failed-$kills"; cp -r broken "failed-$kills"; }
    printf 'kill %3d: temporaries %d, newest %s: %s\n' $kills "$left" "${newest##*/}" "$outcome"
  done
  rm -rf straight broken
  echo "summary: kills: $kills SIGKILLs, $inside inside a save, $faults faults; $ended runs killed on the way ended in equal bytes"
  [ $faults = 0 ] && [ $inside -ge "$wanted_inside" ]
}
