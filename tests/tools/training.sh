#!/bin/bash
# vae-train as a process: signals, saving, going on, what it prints and records.
# shellcheck source=tests/tools/harness.sh
. "${0%/*}/harness.sh"
export OMP_NUM_THREADS=1  # the nets are too small for more
# eventually WHAT command...: within half a minute.
eventually() {
  last=$1
  checks=$((checks + 1))
  for _ in $(seq 600); do
    "${@:2}" >/dev/null 2>&1 && return
    sleep 0.05
  done
  fault 'did not happen'
}
# ended STATUS TEXT: how the process $pid ended, and what it said.
ended() {
  local got=0
  wait "$pid" || got=$?
  checks=$((checks + 1))
  last="process that was to end with $1"
  [ "$got" = "$1" ] || fault "ended with $got"
  stderr_has "$2"
}
# in_call NUMBER FD: the process $pid waits in this system call.
# shellcheck disable=SC2317  # check and eventually call it
in_call() { [[ "$(cat "/proc/$pid/syscall")" == "$1 0x$2 "* ]]; }
# stays_in NUMBERS: the process $pid is in one of these system calls, and in the same one a while later:
# a program that starts opens files and is not yet waiting.
# shellcheck disable=SC2317
stays_in() {
  local call
  call=$(cat "/proc/$pid/syscall")
  [[ "$call" =~ ^($1)\  ]] && sleep 0.2 && [ "$(cat "/proc/$pid/syscall")" = "$call" ]
}
steps_of() { (cd "$1" && echo step-*.h5); }
# shellcheck disable=SC2317
saved() { compgen -G "$1/step-*.h5"; }
# shellcheck disable=SC2317
grew() { [ "$(wc -l <"$1")" -gt "$2" ]; }  # FILE LINES

data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 --image-channels 1 -o grey.h5
tiny=(--net fc --hidden-dim 8 --latent-dim 2 --batch-size 8 --likelihood gaussian)
endless=(vae-train grey.h5 "${tiny[@]}" --steps 1M --lr-schedule constant --log-every 1)

# ---- signals
for signal in INT HUP; do
  "${endless[@]}" --run-dir $signal 2>stderr &
  pid=$!
  eventually "training before SIG$signal" grep -q '^{"step":3,' $signal/metrics.jsonl
  kill -$signal $pid
  ended 75 'holds the state: go on with --resume'
  stderr_has ', seed 0;'
  status 0 model-info --check "$signal/$(steps_of $signal)"
done
"${endless[@]}" --run-dir usr2 2>stderr &
pid=$!
eventually 'training before SIGUSR2' grep -q '^{"step":3,' usr2/metrics.jsonl
check 'nothing is saved yet' test "$(steps_of usr2)" = 'step-*.h5'
kill -USR2 $pid
eventually 'a checkpoint after SIGUSR2' saved usr2
at=$(wc -l <usr2/metrics.jsonl)
eventually 'training after SIGUSR2' grew usr2/metrics.jsonl "$at"
kill -TERM $pid
ended 75 'holds the state'
# A reader that does not read holds the process in a write, where the first SIGINT cannot stop it.
mkfifo stuck
exec 9<>stuck
"${endless[@]}" --metrics - -o x.h5 >stuck 2>stderr &
pid=$!
eventually 'a full pipe' in_call 1 1
kill -INT $pid
sleep 0.2
check 'the first SIGINT waits' kill -0 $pid
kill -INT $pid
ended 130 ''
exec 9>&-
# Under nohup the terminal's end is no reason to stop.
(trap '' HUP && exec "${endless[@]}" --run-dir nohup 2>stderr) &
pid=$!
eventually 'training under nohup' grep -q '^{"step":3,' nohup/metrics.jsonl
kill -HUP $pid
at=$(wc -l <nohup/metrics.jsonl)
eventually 'training after an ignored SIGHUP' grew nohup/metrics.jsonl $((at + 3))
kill -TERM $pid
ended 75 'holds the state'
# While pictures are read there is nothing to save.
mkfifo data
for signal in TERM:143 USR1:138; do
  exec 9<>data
  "${endless[@]/grey.h5/-}" --run-dir early <data 2>stderr &
  pid=$!
  eventually 'reading' in_call 0 0
  kill -"${signal%:*}" $pid
  ended "${signal#*:}" 'stopped by a signal before the training began; nothing saved'
  exec 9>&-
done
check 'nothing was begun' test ! -e early

# Nobody reads the records, or the model: a stop ends the wait. Nobody writes the weights either.
mkfifo unread
for row in 'TERM --metrics unread --steps 1M' 'INT --metrics unread --steps 1M' 'TERM --steps 1 -o unread'; do
  read -r signal options <<<"$row"
  # shellcheck disable=SC2086
  env --default-signal=INT vae-train -q grey.h5 "${tiny[@]}" $options 2>stderr &
  pid=$!
  eventually 'waiting for a reader' stays_in 230
  kill -"$signal" $pid
  ended 1 'vae-train: unread: cannot write: stopped before anybody read it'
  check 'one line' test "$(wc -l <stderr)" = 1
done
for option in --init=unread --resume=unread; do
  vae-train -q grey.h5 "${tiny[@]}" --steps 9 -o x.h5 $option 2>stderr &
  pid=$!
  eventually 'waiting for a writer' stays_in '2|257'
  kill -TERM $pid
  ended 143 'nothing saved'
done

# ---- stopped by time
status 75 bash -c "(sleep 1.2; cat grey.h5) | vae-train - ${tiny[*]} --steps 1M --run-dir timed --max-time 1s"
stderr_has 'stopped at step 1 of 1000000'
status 1 vae-train grey.h5 "${tiny[@]}" --steps 9 --metrics m.jsonl --max-time 0.0001s
stderr_has 'stopped at step 1 of 9, seed 0; nothing saved: neither -o nor --run-dir was given'
check 'the summary is recorded' grep -q '"done":false' m.jsonl
status 75 bash -c "vae-train grey.h5 ${tiny[*]} --steps 9 -o - --max-time 0.0001s >state.h5"
stderr_has 'standard output holds the state: keep it in a file and go on with --resume=FILE'
status 0 vae-train grey.h5 "${tiny[@]}" --steps 9 --resume=state.h5 -o resumed.h5
status 0 vae-train grey.h5 "${tiny[@]}" --steps 9 -o straight.h5
status 0 cmp straight.h5 resumed.h5
# With -o FILE alone the state goes beside it: FILE may be the model of an earlier run.
cp straight.h5 model.h5
status 75 vae-train grey.h5 "${tiny[@]}" --steps 9 -o model.h5 --max-time 0.0001s
stderr_has 'stopped at step 1 of 9, seed 0; model.state.h5 holds the state: go on with --resume=model.state.h5'
check 'the model stays' cmp straight.h5 model.h5
status 0 model-info model.state.h5
stdout_has '^state.step: 1$'
status 2 vae-train grey.h5 "${tiny[@]}" --steps 9 -o model.h5
stderr_has 'model.state.h5 holds the state of a stopped training; give --resume=model.state.h5 to go on or --force'
status 0 vae-train grey.h5 "${tiny[@]}" --steps 9 --resume=model.state.h5 -o model.h5
status 0 cmp straight.h5 model.h5
check 'the state is not needed any more' test ! -e model.state.h5
"${endless[@]}" -o model.h5 2>stderr &
pid=$!
eventually 'training' grep -q 'step 3/' stderr
kill -USR2 $pid
eventually 'a state after SIGUSR2' test -e model.state.h5
kill -INT $pid
kill -TERM $pid
ended 75 'model.state.h5 holds the state'
check 'the model stays' cmp straight.h5 model.h5
# What was saved on the way is not needed beside the model.
status 0 vae-train grey.h5 "${tiny[@]}" --steps 9 --save-every 2 -vv -o whole.h5
stderr_has 'phase save: whole.state.h5'
status 0 cmp straight.h5 whole.h5
check 'no state is left' test ! -e whole.state.h5
cp grey.h5 data.state.h5
status 2 vae-train data.state.h5 "${tiny[@]}" --steps 9 -o data.h5
stderr_has 'data.state.h5: would replace what is read'

# A grid is given up for a stop, and drawn first thing after it.
refused 'holds out all of its 1 pictures' vae-train grey.h5 --limit 1 "${tiny[@]}" --val-split 0.9 --steps 1 -o x.h5
pictures=(--run-dir pictures --sample-every 1 --sample-grid 2x2 --val-split 0.2 --val-every 2)
status 75 vae-train grey.h5 "${tiny[@]}" --steps 9 "${pictures[@]}" --max-time 0.0001s
check 'no picture yet' test ! -e pictures/samples/step-00000001.png
status 75 vae-train grey.h5 "${tiny[@]}" --steps 9 "${pictures[@]}" --max-time 0.0001s --resume
check 'the first picture' test -e pictures/samples/step-00000001.png -a ! -e pictures/samples/step-00000002.png
status 0 vae-train grey.h5 "${tiny[@]}" --steps 9 "${pictures[@]}" --resume -o resumed.h5
check 'all pictures' test "$(find pictures/samples -name '*.png' | wc -l)" = 9
check 'one validation a step' test "$(grep -o '"val_loss":[0-9]' pictures/metrics.jsonl | wc -l)" = 5
status 0 vae-train grey.h5 "${tiny[@]}" --steps 9 "${pictures[@]/pictures/straight}" -o straight.h5
status 0 cmp straight.h5 resumed.h5
status 0 diff -r straight/samples pictures/samples
status 2 vae-train grey.h5 "${tiny[@]}" --run-dir huge --sample-every 1 --sample-grid 2000x2000
stderr_has '--sample-grid 2000x2000: has 4000000 cells, at most 65536 are drawn'

# ---- a loss that is not finite: the state before it is kept, and is that of a run stopped there
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 8 -o colour.h5
for slices in 1 4; do
  wild=(colour.h5 --net conv --channels '4,8' --latent-dim 2 --batch-size 8 --likelihood gaussian --steps 30 --learning-rate 1e30
    --grad-accum-steps "$slices")
  status 1 vae-train "${wild[@]}" --run-dir wild$slices
  stderr_has 'diverged at step 2: loss or gradient is not finite, first in step'
  stderr_has '(vae_nets.cc:'
  stderr_has "; wild$slices/step-00000001.h5 holds the state before"
  status 0 model-info --check wild$slices/step-00000001.h5
  status 75 vae-train "${wild[@]}" --run-dir tame$slices --max-time 0.0001s
  status 0 cmp wild$slices/step-00000001.h5 tame$slices/step-00000001.h5
  status 1 vae-train "${wild[@]}" --run-dir wild$slices --resume
  stderr_has 'resumed from wild'
  stderr_has 'diverged at step 2'
  status 1 vae-train "${wild[@]}" -o wild$slices.h5
  stderr_has "; wild$slices.last-good.h5 holds the state before"
  status 0 cmp wild$slices.last-good.h5 tame$slices/step-00000001.h5
  check 'no state in the place of a model' test ! -e wild$slices.h5
done
status 1 bash -c "vae-train ${wild[*]} -o - >nothing.h5"
stderr_has '; nothing saved'
check 'standard output is empty' test ! -s nothing.h5
cp tame1/step-00000001.h5 old.h5
status 1 vae-train "${wild[@]}" -o old.h5
status 0 cmp old.h5 tame1/step-00000001.h5
mkdir old.last-good.h5.d && mv old.last-good.h5 old.last-good.h5.d && mkdir old.last-good.h5
status 1 vae-train "${wild[@]}" -o old.h5
stderr_has 'diverged at step 2'
stderr_has '; nothing saved (old.last-good.h5: '

# Weights that are not finite behind a loss that is
data-pack -q --synthetic shapes --synthetic-count 40 --image-size 16 -o wide.h5
hidden=(wide.h5 --net fc --hidden-dim 8 --adam-eps 0 --steps 200)
status 1 vae-train "${hidden[@]}" --run-dir hidden --save-every 150
stderr_has 'diverged by step 1: /model/'
stderr_has ' holds nan; nothing saved'
check 'nothing is there' test "$(steps_of hidden)" = 'step-*.h5'
status 1 vae-train "${hidden[@]}" --run-dir straight --force
check 'a former run stays' test "$(steps_of straight)" = step-00000009.h5
# A unit that dies later leaves a second moment of 0 under a first one.
data-pack -q --synthetic noise --synthetic-count 40 --image-size 8 --image-channels 1 -o noise.h5
status 1 vae-train noise.h5 --net fc --hidden-dim 2 --latent-dim 2 --likelihood gaussian --batch-size 40 --adam-eps 0 --adam-beta2 0 \
  --learning-rate 0.05 --seed 5 --steps 300 --save-every 1 --run-dir later
stderr_has 'diverged by step '
stderr_has '; later/step-'
stderr_has ' is the last good state'
status 0 model-info --check "later/$(steps_of later | tr ' ' '\n' | tail -n 1)"

# ---- what stays in a run directory
short=(vae-train grey.h5 "${tiny[@]}" --steps 12 --lr-schedule constant --learning-rate 0.3)
status 0 "${short[@]}" --run-dir kept --save-every 1 --keep 3 --val-split 0.3 --val-every 1 --sample-every 4 --sample-grid 2x2 -o kept.h5
check 'three checkpoints' test "$(steps_of kept)" = 'step-00000010.h5 step-00000011.h5 step-00000012.h5'
least=$(sed -n 's/^{"step":\([0-9]*\),.*"val_loss":\([^,]*\),.*/\2 \1/p' kept/metrics.jsonl | sort -g | head -n 1)
check 'the least is not the last' test "${least#* }" != 12
status 0 model-info kept/best.h5
stdout_has "^state.step: ${least#* }$"
stdout_has "^state.best_loss: ${least% *}$"
"${endless[@]}" --run-dir byTime --save-every 0.3s 2>stderr &
pid=$!
eventually 'a checkpoint by time' saved byTime
kill -KILL $pid
wait $pid 2>/dev/null
status 0 test -e kept/samples/step-00000004.png
status 2 "${short[@]}" --run-dir kept
stderr_has 'holds a run already'
# A run whose checkpoints were removed to save space still has its best one and its records, and
# goes on from the former; a configuration of somebody's own is none of the run's.
cp -r kept spare && rm spare/step-*.h5
status 2 "${short[@]}" --run-dir spare
stderr_has 'holds a run already'
status 0 cmp spare/best.h5 kept/best.h5
rm spare/best.h5
status 2 "${short[@]}" --run-dir spare
stderr_has 'spare: holds the records of a run that left no checkpoint; give --resume to begin it anew'
status 0 "${short[@]}" --run-dir spare --resume -o spare.h5
mkdir own && echo 'steps = 1' >own/config.toml
for resume in '' --resume; do
  status 2 "${short[@]}" --run-dir own $resume
  stderr_has 'own: holds a config.toml that no run wrote'
done
status 0 "${short[@]}" --run-dir own -n
status 1 "${short[@]}" --run-dir own --force --kl-weight 1e308
check 'it is as it was' test "$(cat own/config.toml)" = 'steps = 1'
echo 'notes' >own/metrics.jsonl
status 1 "${short[@]}" --run-dir own --force
stderr_has 'metrics.jsonl: expected records of a training'
rm own/metrics.jsonl
status 0 "${short[@]}" --run-dir own --force
# Ours may change with the options of this call, as when a killed job is begun with another --save-every.
rm own/*.h5 own/metrics.jsonl
status 0 "${short[@]}" --run-dir own --save-every 5
status 0 "${short[@]}" --run-dir kept --force
check 'nothing of the former run is left' test ! -e kept/samples -a ! -e kept/best.h5
check 'one checkpoint' test "$(steps_of kept)" = step-00000012.h5
# --force takes the former run away when the new one is known to work, and not before.
status 0 vae-train -q grey.h5 --net fc --hidden-dim 8 --latent-dim 3 --likelihood gaussian --steps 1 -o other.h5
status 0 "${short[@]}" -q --run-dir former --save-every 4 --keep 9 --val-split 0.3 --sample-every 4 --sample-grid 2x2
digests() { (cd "$1" && find . -type f ! -name run.lock -exec sha256sum {} + | sort); }
former=$(digests former)
# kept STATUS TEXT OPTION...: this ends so, and the former run is as it was.
kept() {
  status "$1" "${short[@]}" --run-dir former --force "${@:3}"
  stderr_has "$2"
  check "the former run stays, $2" test "$(digests former)" = "$former"
}
kept 1 'nowhere.h5: cannot open' --init nowhere.h5
kept 1 'other.h5: ' --init other.h5
kept 1 'nodir/x: cannot write' --metrics nodir/x
kept 1 'diverged at step 1' --kl-weight 1e308
stderr_has '; nothing saved'
status 0 "${short[@]}" --run-dir former --force --init former/best.h5
stderr_has 'former/best.h5: 8 tensors taken'
check 'only the new run is there' test "$(steps_of former)" = step-00000012.h5 -a ! -e former/samples -a ! -e former/best.h5
# A record that cannot be written any more, as its reader has gone, costs no update: the state is
# saved, and the run goes on to the same bytes.
told=(vae-train -q grey.h5 "${tiny[@]}" --steps 5000)
mkfifo records
read -r _ <records & reader=$!
status 1 "${told[@]}" --run-dir told --log-every 1 --metrics records -o told.h5
stderr_has 'records: cannot write: Broken pipe; told/step-'
stderr_has ' holds the state: go on with --resume'
wait $reader
status 0 "${told[@]}" --run-dir told --resume -o told.h5
status 0 "${told[@]}" -o straight.h5
status 0 cmp told.h5 straight.h5
status 2 "${short[@]}" --run-dir told --sample-grid 2x2
stderr_has '--sample-grid: needs --sample-every'
status 2 "${short[@]}" --synthetic-count 4 -o x.h5
stderr_has '--synthetic-count goes with --synthetic'
status 2 "${short[@]}" --ema-decay 0.9,0.90 -o x.h5
stderr_has "--ema-decay '0.9,0.90': 0.90 is there twice"
status 1 env ATELIER_RESUME=true "${short[@]}" -o x.h5
stderr_has 'true: cannot open: No such file or directory; --resume is auto, or goes on from a checkpoint'
# The state of one run in the directory of another
stop=(--save-every 1 --keep 9 --max-time 0.0001s)
for _ in 1 2 3; do "${short[@]}" -q --run-dir a "${stop[@]}" --resume 2>stderr; done
for _ in 1 2 3 4 5; do "${short[@]}" -q --run-dir b "${stop[@]}" --resume 2>stderr; done
status 2 "${short[@]}" --run-dir b --resume=a/step-00000003.h5
stderr_has 'b: holds a run already'
check 'b is whole' test -e b/step-00000005.h5
status 2 "${short[@]}" --run-dir b --resume=b/step-00000002.h5
stderr_has 'b holds later checkpoints; give --force to remove them'
status 75 "${short[@]}" --run-dir b --resume=b/step-00000002.h5 --force "${stop[@]}"
check 'b was taken back' test "$(steps_of b)" = 'step-00000001.h5 step-00000002.h5 step-00000003.h5'
status 0 "${short[@]}" --run-dir b --resume=a/step-00000002.h5 --force -o b.h5
status 0 "${short[@]}" --run-dir empty --resume=a/step-00000002.h5 -o empty.h5
status 0 "${short[@]}" -o straight.h5
status 0 cmp straight.h5 b.h5
status 0 cmp straight.h5 empty.h5
status 0 "${short[@]}" --run-dir new --resume -o new.h5
stderr_has 'new: holds no checkpoint to go on from, begins anew'
status 0 cmp straight.h5 new.h5
# A job that begins from another's state and is killed before its first checkpoint is begun again alike.
rm empty/*.h5
status 0 "${short[@]}" --run-dir empty --resume=a/step-00000002.h5 -o empty.h5
status 0 cmp straight.h5 empty.h5
: >best-broken
mkdir broken && cp best-broken broken/best.h5
status 1 "${short[@]}" --run-dir broken --resume
stderr_has '--force replaces it'
status 2 vae-train - "${tiny[@]}" --steps 1 --val-data - -o x.h5
stderr_has "'-' twice: standard input can be read once only"
# Killed before its first checkpoint, when it had kept a best one.
status 0 "${short[@]}" -q --run-dir best --val-split 0.3 -o whole.h5
rm best/step-*.h5
status 0 "${short[@]}" --run-dir best --val-split 0.3 --resume -o again.h5
stderr_has 'resumed from best/best.h5'
status 0 cmp whole.h5 again.h5
# An unset variable of a shell is no option.
for option in --run-dir --val-data --init --max-time -o --labels; do
  status 2 "${short[@]}" "$option" "" --run-dir empty2
  stderr_has "$option: needs a value (TEXT), found an empty one"
done
# A newest checkpoint that is broken outlives no newer one.
head -c 500 a/step-00000003.h5 >cut.h5 && mv cut.h5 a/step-00000009.h5
status 75 "${short[@]}" --run-dir a --resume --keep 1 --max-time 0.0001s
stderr_has '(passed over)'
check 'the new one stays' test "$(steps_of a)" = 'step-00000004.h5 step-00000009.h5'
status 0 "${short[@]}" --run-dir a --resume --keep 1 -o a.h5
status 0 cmp straight.h5 a.h5
check 'only the last one stays' test "$(steps_of a)" = step-00000012.h5

# None is good: that is no directory without a run.
torn=("${short[@]}" --run-dir torn --val-split 0.3 --val-every 1)
for _ in 1 2; do status 75 "${torn[@]}" -q --resume "${stop[@]}"; done
spoil() { for file in torn/step-*.h5; do head -c 500 a.h5 >"$file"; done; }
spoil
status 1 "${torn[@]}" --resume
stderr_has 'vae-train: torn: no good checkpoint; the newest is torn/step-'
stderr_has 'with --resume=torn/best.h5'
check 'one line' test "$(wc -l <stderr)" = 1
status 0 "${torn[@]}" --resume=torn/best.h5 --force -o torn.h5
status 0 "${short[@]}" --val-split 0.3 --val-every 1 -o straight.h5
status 0 cmp straight.h5 torn.h5
spoil
status 0 "${torn[@]}" --resume --force

# ---- a state that is not whole, or of other options
averaged=("${short[@]}" --ema-decay 0.9)
status 75 "${averaged[@]}" -q -o part.h5 --max-time 0.0001s
mv part.state.h5 state.h5
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
  cat >change.py <<'P'
import shutil, h5py
def changed(name, change):
    shutil.copy("state.h5", name)
    with h5py.File(name, "r+") as file:
        change(file)
changed("moments.h5", lambda file: file.__delitem__("optimizer"))
changed("average.h5", lambda file: file.__delitem__("ema0"))
changed("weight.h5", lambda file: file.__delitem__("model/encoder.hidden0.weight"))
changed("negative.h5", lambda file: file["state"].attrs.modify("step", -3))
changed("index.h5", lambda file: file["state"].attrs.modify("epoch_index", -1))
P
  status 0 /usr/bin/python3 change.py
  for changed in "moments:no tensor 'optimizer/" "average:no tensor 'ema0/" "weight:no tensor 'encoder.hidden0.weight'" \
    'negative:/state has step -3, expected at least 0' 'index:/state has epoch_index -1, expected'; do
    refused "${changed%%:*}.h5: ${changed#*:}" "${averaged[@]}" --resume="${changed%%:*}.h5" -o x.h5
  done
else
  echo 'skipped: states changed by h5py: python3-h5py is not installed'
fi
refused "training option 'learning_rate' was 0.3, is 0.1; to train on with other options: --init=state.h5" \
  "${averaged[@]/0.3/0.1}" --resume=state.h5 -o x.h5
status 1 "${short[@]/0.3/0.1}" --run-dir a --resume
stderr_has '--init=a/step-00000012.h5 and another --run-dir'
status 0 "${averaged[@]}" --resume=state.h5 -o x.h5

# ---- another kernel level
if grep -q avx512dq /proc/cpuinfo; then
  status 75 env ATELIER_ISA=avx512 "${short[@]}" --run-dir level --max-time 0.0001s
  status 1 env ATELIER_ISA=avx2 "${short[@]}" --run-dir level --resume
  stderr_has "kernel 'level' was avx512, is avx2; --allow-level-change goes on"
  status 0 env ATELIER_ISA=avx2 "${short[@]}" --run-dir level --resume --allow-level-change
  stderr_has 'level changes from avx512 to avx2; bits may differ'
else
  echo "skipped: levels above avx2: this CPU has none"
fi

# ---- weights of another net
conv=(colour.h5 --net conv --channels '4,8' --latent-dim 2 --batch-size 8 --likelihood gaussian --steps 1)
status 0 vae-train "${conv[@]}" -o batch.h5
status 0 vae-train "${conv[@]}" --norm none --init batch.h5 -o none.h5
stderr_has 'batch.h5: 9 tensors taken, 3 initialised anew, left out: decoder.up1.norm.bias, '
status 0 model-info none.h5
check 'no tensor of the other net' bash -c '! grep -q norm.weight stdout'
status 0 vae-train "${conv[@]}" --norm none --init batch.h5 --run-dir queued --resume -o queued.h5
stderr_has 'left out'
status 0 cmp none.h5 queued.h5
status 0 vae-train "${conv[@]}" --norm none --init batch.h5 --run-dir queued --resume -o queued.h5
stderr_has 'resumed from queued/step-00000001.h5'
status 0 cmp none.h5 queued.h5

# ---- names decide what is held out: the same pictures under other names are another split
python3 - <<'P'
import os
for name in "abcdefghijkl":
    for folder, end in ("named", ""), ("renamed", "f"):
        os.makedirs(folder, exist_ok=True)
        open(f"{folder}/{name}{end}.pgm", "wb").write(b"P5 4 4 255 " + bytes([ord(name)] * 16))
P
split=(vae-train --net fc --hidden-dim 4 --latent-dim 2 --val-split 0.3 --steps 6)
status 75 "${split[@]}" named --run-dir split --max-time 0.0001s
refused "input '" "${split[@]}" renamed --run-dir split --resume -o x.h5
stderr_has 'it goes on only with the same data'
status 0 "${split[@]}" named --run-dir split --resume
finish
