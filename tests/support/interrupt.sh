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
  case $(grep -a '^vae-train: phase ' "$2" | tail -n 1) in
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
  diff -rq "$1/samples" "$3/samples" || fault=1
  [ -z "$(temporaries .)" ] || { temporaries . | sed "s,$,: left,"; fault=1; }
  return $fault
}

now() { date +%s.%N; }
uniform() { awk "BEGIN { printf \"%.4f\", ($RANDOM * 32768 + $RANDOM) / 1073741824 * $1 }"; }

# stop_once RUN OUTPUT SECONDS SIGNAL command...: runs it, sends the signal after
# SECONDS, goes on with --resume to the end. Sets hit (phase), at (last update recorded before the
# signal), stopped and resumed (statuses); hit is "too late" if the run was over before. Threads of
# each part are drawn anew.
stop_once() {
  local run=$1 output=$2 seconds=$3 signal=$4 pid
  shift 4
  rm -rf "$run" "$output"
  stopped=0 resumed=0
  "$@" -j $((RANDOM % 3 + 1)) -vv --run-dir "$run" -o "$output" 2>stderr &
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
