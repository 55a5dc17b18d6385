# Stopping and killing a training at chosen instants, and telling from outside what it was doing;
# sourced by the short and the long proofs of resumption.
# shellcheck shell=bash

# temporaries DIRECTORY [PID]: files that an atomic write has begun, of one process or of any.
temporaries() { find "$1" -name ".*.${2:-*}.*.tmp"; }
newest_step() { find "$1" -maxdepth 1 -name 'step-*.h5' 2>/dev/null | sort | tail -n 1; }

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

# phase RUN PID SKIP VAL_EVERY STEPS OWED: what a frozen process with --log-every 1 was doing. A
# temporary proves that it was inside a save or a grid; a record of an update to be validated
# without the record of its validation, that it was inside that. SKIP: lines that metrics.jsonl
# had before this process; OWED: 1 if the process begins by a validation that was interrupted.
phase() {
  local run=$1 pid=$2 skip=$3 every=$4 steps=$5 owed=$6 temporary last step
  temporary=$(temporaries . "$pid" | head -n 1)
  case $temporary in
    */samples/.*) echo grid && return ;;
    */.config.toml.*) echo start && return ;;
    */.best.h5.*) echo 'save of best.h5' && return ;;
    */.step-*) echo save && return ;;
    ?*) echo 'save of the output' && return ;;
  esac
  last=$(tail -n "+$((skip + 1))" "$run/metrics.jsonl" 2>/dev/null | tail -n 1) || true
  step=$(last_step "$run")
  case $last in
    '') echo start ;;
    *'"done":'*) echo end ;;
    *'"program":'*) if [ "$owed" = 1 ]; then echo validation; else echo training; fi ;;
    *'"loss":'*) if [ $((step % every)) = 0 ] || [ "$step" = "$steps" ]; then echo validation; else echo training; fi ;;
    *) echo training ;;
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
  [ -z "$(temporaries "$3")" ] || { echo "$3: temporaries are left"; fault=1; }
  return $fault
}

now() { date +%s.%N; }
uniform() { awk "BEGIN { printf \"%.4f\", ($RANDOM * 32768 + $RANDOM) / 1073741824 * $1 }"; }

# stop_once RUN OUTPUT SECONDS SIGNAL VAL_EVERY STEPS command...: runs it, sends the signal after
# SECONDS, goes on with --resume to the end. Sets hit (phase), at (last update recorded before the
# signal), stopped and resumed (statuses); hit is "too late" if the run was over before. Threads of
# each part are drawn anew.
stop_once() {
  local run=$1 output=$2 seconds=$3 signal=$4 every=$5 steps=$6 pid
  shift 6
  rm -rf "$run" "$output"
  stopped=0 resumed=0
  "$@" -j $((RANDOM % 3 + 1)) --run-dir "$run" -o "$output" 2>stderr &
  pid=$!
  sleep "$seconds"
  if ! freeze "$pid"; then
    hit='too late'
    wait "$pid"
    return
  fi
  hit=$(phase "$run" "$pid" 0 "$every" "$steps" 0)
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
