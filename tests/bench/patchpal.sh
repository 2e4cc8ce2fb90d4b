#!/bin/bash
# patchpal.sh [MODE]...: the guide for real, on the host slot: the top-level Containerfile is built and the real PatchPal works
# in its sandbox, by the guide's own command lines, with a scripted model server on this machine's loopback. All of these, unless
# some are named:
#   none       examples/ralph.py, without a network; the server's port is put into the sandbox's own loopback
#   slirp      examples/ralph.py, with a network that reaches this machine's loopback: a loosening, which has to be said
#   autopilot  patchpal-autopilot without a network; its question is answered on the terminal
#   install    a package installed in the sandbox
#   ralph      the guide's calculator by `stockade ralph --agent patchpal`: claimed three times, and right the third time; with a
#              network as slirp has it, since each iteration has a network namespace of its own
#   ralph.py   the same by `--agent ralph.py`, which starts examples/ralph.py in the workspace
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/scripted.sh
. "$(dirname "$0")/scripted.sh"

IMAGE=ralph-env
KEPT=localhost/stockade-bench/patchpal   # the same image: the demonstration gives its name to another one
GUIDE_PORT=8000
PROCESS=''

# ---- the workspace ----------------------------------------------------------

# Steps 1 to 6 of the guide. $1: port of the model in the sandbox
make_sandbox() {
  make_repository "$SANDBOX" .env.ralph
  give "$REPO/examples/ralph.py" ralph-sandbox/ralph.py
  give <(cat <<EOF
PATCHPAL_MODEL=hosted_vllm/openai/qwen2.5-coder-32b-instruct
HOSTED_VLLM_API_BASE=http://host.containers.internal:$1
HOSTED_VLLM_API_KEY=$KEY
PATCHPAL_REQUIRE_PERMISSION=false
EOF
  ) ralph-sandbox/.env.ralph
  as_service chmod 600 "$SANDBOX/.env.ralph"
  give <(cat <<'EOF'
# Task: Create Hello World

Create hello.py with a hello() function that returns "Hello, World!".
Create test_hello.py with pytest tests.
Run tests: run_shell("pytest test_hello.py -v")
Fix failures until tests pass.

When done, output: <promise>COMPLETE</promise>
EOF
  ) ralph-sandbox/prompt_simple.md
  listing > "$STATE/scripted-before"
}

# Every name below the workspace with its type and owner
listing() { as_root find "$SANDBOX" -mindepth 1 -printf '%P %y %u\n' | sort; }

# new_names [PATTERN]: what came since make_sandbox; names that match are left out
new_names() { comm -13 "$STATE/scripted-before" <(listing) | { grep -vE "${1:-^$}" || true; }; }

# ---- what has to hold -------------------------------------------------------

shown() { grep -qF -e "$1" "$WORK/typescript"; }
# from a file: a pattern among the arguments would be found there
with_key() { grep -F -f "$STATE/scripted-key" > /dev/null; }
without_key() { ! with_key; }

containers() { as_service "$SERVE/bin/podman-host" ps --all --quiet --no-trunc | sort; }

# while the model is silent
hold_meanwhile() {
  local described
  described=$(stockade inspect "$NAME" && stockade container inspect "$NAME" && stockade image inspect "$IMAGE" &&
    stockade ps --all --format json && stockade logs "$NAME")
  holds 'the key is in nothing that Stockade says about the container' without_key <<< "$described"
  holds 'it would have been found: --show-env shows it' with_key < <(stockade inspect --show-env "$NAME")
  holds "the key is in no process's arguments" without_key < <(cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\0' '\n')
  holds 'the env file is empty in the sandbox' is "$(stockade exec "$NAME" sh -c 'wc -c < .env.ralph')" 0
  [ "$MODE" = slirp ] || holds 'the sandbox has no interface but lo' is "$(stockade exec "$NAME" ls /sys/class/net)" lo
}

# shellcheck disable=SC2016
hold_afterwards() {
  holds 'the agent completed in the second iteration' shown 'COMPLETION DETECTED after 2 iterations!'
  holds 'the limits that are not in force were said' shown 'not in force: --memory 2 GiB, --cpus 2'
  [ "$MODE" != slirp ] || holds 'the loosened network was said' shown 'loosened: network option slirp4netns:allow_host_loopback=true'
  holds 'the model was asked six times, and answered as planned' on_record \
    '[.[].answer.tools | join(" ")] == ["write_file write_file", "run_shell", "", "write_file", "run_shell", ""]'
  holds 'every request was a chat completion, streamed, for the model of the env file' on_record \
    'all(.path == "/chat/completions" and .request.stream and .request.model == "openai/qwen2.5-coder-32b-instruct")'
  holds 'the key arrived as bearer token each time, and in no message' on_record \
    'all(.key == "Bearer " + $key and (.request | tostring | contains($key) | not))'
  holds 'the prompt file arrived, once for each iteration' on_record \
    'last.request.messages | map(select(.role == "user") | .content) == [$prompt, $prompt]' \
    --rawfile prompt "$SANDBOX/prompt_simple.md"
  holds 'the tests had failed, and then passed' on_record \
    '[last.request.messages[] | select(.role == "tool").content | scan("[0-9]+ (?:failed|passed)")] == ["1 failed", "1 passed"]'
  holds 'hello.py is the corrected one' grep -qF 'return "Hello, World!"' "$SANDBOX/hello.py"
  holds "nothing is new but the agent's files and what pytest leaves" is "$(new_names '^(\.pytest_cache|__pycache__)[/ ]')" \
    "$(printf '%s\n' "hello.py f $SERVICE_USER" "test_hello.py f $SERVICE_USER")"
  holds "every file belongs to $SERVICE_USER" is "$(listing | awk -v user="$SERVICE_USER" '$NF != user')" ''
  holds 'the env file is what it was' grep -qFx "HOSTED_VLLM_API_KEY=$KEY" "$SANDBOX/.env.ralph"
  holds 'no container is left' is "$(containers)" "$LEFT_BEFORE"
}

# ---- the guide's runs ---------------------------------------------------------

# Sets PROCESS to the container's first process on this machine, as soon as there is one
wait_for_container() {
  first_line events
  stop_beside events
  PROCESS=$(stockade inspect "$NAME" | jq --raw-output '.[0].State.Pid')
}

# What the terminal shows, up to a text
wait_until_shown() {
  local n
  for ((n = 0; n < 1200; n++)); do
    ! shown "$1" || return 0
    kill -0 "$GROUP" 2> /dev/null || break
    sleep 0.1
  done
  die "$NAME: '$1' was not shown"
}

# agent_run MODE
# shellcheck disable=SC2016
agent_run() {
  local network agent status=0 start=$EPOCHREALTIME
  MODE=$1 NAME=ralph-$1
  as_service rm -f "$WORK/typescript" "$WORK/keyboard"
  as_service sh -c '> "$1"; mkfifo "$2"' _ "$WORK/typescript" "$WORK/keyboard"
  start_model scripted_model.py
  network=(--network none --add-host host.containers.internal:127.0.0.1)
  agent=(python ralph.py)
  case $MODE in
    slirp)
      network=("${LOOPBACK[@]}")
      make_sandbox "$PORT" ;;
    autopilot) agent=(patchpal-autopilot); make_sandbox "$GUIDE_PORT" ;;
    *) make_sandbox "$GUIDE_PORT" ;;
  esac
  # until all is looked at
  signal_beside STOP model
  start_beside events stockade events --since "$EPOCHSECONDS" --filter "container=$NAME" --filter event=start
  # for reading and writing: no end of file
  exec 7<> "$WORK/keyboard"
  start_typed_on_terminal "$WORK/typescript" "$WORK/keyboard" "$SANDBOX" \
    stockade run -it --rm --name "$NAME" -v "$SANDBOX:/workspace:Z" --env-file .env.ralph --memory=2g --cpus=2 \
    "${network[@]}" --allow-unenforced-limits \
    "$IMAGE" "${agent[@]}" --prompt-file prompt_simple.md --completion-promise COMPLETE --max-iterations 10
  wait_for_container
  if [ "$MODE" != slirp ]; then
    start_beside forward python3 -B netns_forward.py "$PROCESS" "$GUIDE_PORT" "$PORT"
    first_line forward
  fi
  hold_meanwhile
  if [ "$MODE" = autopilot ]; then
    wait_until_shown 'Continue with autopilot mode? (yes/no):'
    printf 'yes\r' >&7
  fi
  signal_beside CONT model
  wait_group || status=$?
  exec 7>&-
  holds "the agent's exit status is 0" is "$status" 0
  end_beside
  hold_afterwards
  printf '   %s: %s s\n' "$MODE" "$(seconds_since "$start")"
}

# ---- a package installed in the sandbox -------------------------------------

make_wheel() {
  as_service python3 - "$SANDBOX/tiny-1.0-py3-none-any.whl" <<'EOF'
import sys, zipfile
info = "tiny-1.0.dist-info"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tiny.py", "WHERE = __file__\n")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
EOF
}

install_run() {
  local status=0
  NAME=ralph-install
  make_sandbox "$GUIDE_PORT"
  make_wheel
  listing > "$STATE/scripted-before"
  typed "$SANDBOX" stockade run --rm --name "$NAME" -v "$SANDBOX:/workspace:Z" --env-file .env.ralph --network none "$IMAGE" \
    sh -euc 'pip install --user --no-index ./tiny-1.0-py3-none-any.whl; python -c "import tiny; print(tiny.WHERE)"; wc -c < .env.ralph' \
    > "$STATE/scripted-install.out" 2>&1 || status=$?
  cat "$STATE/scripted-install.out"
  holds 'its exit status is 0' is "$status" 0
  holds 'the package was installed, and not in the workspace' grep -qE '^/.*/\.local/lib/python3\.11/site-packages/tiny\.py$' \
    "$STATE/scripted-install.out"
  holds 'the env file is empty in the sandbox' is "$(tail -1 "$STATE/scripted-install.out")" 0
  holds 'nothing in the workspace is new' is "$(new_names)" ''
  holds 'no container is left' is "$(containers)" "$LEFT_BEFORE"
}

# ---- the loop -----------------------------------------------------------------

# The guide's calculator
make_calculator() {
  give <(cat <<'EOT'
# Task: Create a Simple Calculator

Build a Python calculator module with tests.

## Requirements
- Create calculator.py with functions: add, subtract, multiply, divide
- Handle division by zero (raise ValueError)
- Create test_calculator.py with pytest tests
- All tests must pass

## Process
1. Create calculator.py with four functions
2. Create test_calculator.py with tests for each function
3. Run tests: run_shell("pytest test_calculator.py -v")
4. Fix any failures
5. Repeat until all tests pass

## Success Criteria
- All 4 functions work correctly
- Division by zero raises ValueError with message
- All pytest tests pass
- No errors or warnings

When complete, output: <promise>COMPLETE</promise>
EOT
  ) ralph-sandbox/calculator.md
}

# kept: all that is kept of runs
kept() { as_service find "$AREA/home/.local/state/stockade/runs" -type f -exec cat {} +; }

# loop AGENT OUTPUT FLAG...: sets STATUS
loop() {
  local whose=$1 output=$2; shift 2
  ralph "$whose" "$SANDBOX" "$output" --env-file .env.ralph --prompt-file calculator.md "$@"
  cat "$output"
}

# ralph_run AGENT ROUND: how its program calls one round
# shellcheck disable=SC2016
ralph_run() {
  local start=$EPOCHREALTIME
  NAME=ralph-loop-$1
  start_model scripted_model.py
  make_sandbox "$PORT"
  make_calculator
  make_checks
  loop "$1" "$STATE/scripted-ralph.out" "${CHECKED[@]}"
  end_beside
  holds 'its exit status is 0' is "$STATUS" 0
  holds 'it was verified in the third iteration' is "$(iterations)" 'complete 1, complete 1, complete 0'
  holds 'the autopilot was not asked whether to go on' is "$(grep -cF 'Continue with autopilot mode' "$STATE/scripted-ralph.out")" 0
  holds 'each iteration is one invocation of one round' is "$(grep -cF "$2 Iteration 1/1" "$STATE/scripted-ralph.out")" 3
  holds 'what the check said has joined the next prompt' on_record \
    '[.[].request.messages | map(select(.role == "user").content | capture("FAILED .*::(?<test>test_[a-z]+)").test)] | unique == [[], ["test_divide"], ["test_subtract"]]'
  holds 'the key arrived as bearer token each time, and in no message' on_record \
    'all(.key == "Bearer " + $key and (.request | tostring | contains($key) | not))'
  holds 'what is kept of the run is found' grep -qF "\"agent\": \"$1\"" <(kept)
  holds 'the key is not in it' without_key < <(kept)
  holds 'nor in what is said of it' without_key < <(stockade show --format json "$NAME"; stockade logs "$NAME")
  holds 'calculator.py is the right one' grep -qF 'raise ValueError' "$SANDBOX/calculator.py"
  holds 'no container is left' is "$(containers)" "$LEFT_BEFORE"
  printf '   --agent %s: %s s\n' "$1" "$(seconds_since "$start")"
}

refused_run() {
  local start=$EPOCHREALTIME
  NAME=ralph-refused
  loop patchpal "$STATE/scripted-refused.out" --no-check --api-patience 1s
  holds 'a model that is gone ends it once patience is used up' is "$STATUS" 16
  holds 'it is said why' grep -qF 'could not be used for too long (unreachable)' "$STATE/scripted-refused.out"
  holds 'no container is left' is "$(containers)" "$LEFT_BEFORE"
  printf '   refused: %s s\n' "$(seconds_since "$start")"
}

# ---- all of it --------------------------------------------------------------

start=$EPOCHREALTIME
prepare_host bsdutils jq git python3
need_space "$SERVE" 3072
make_work patchpal
SANDBOX=$WORK/ralph-sandbox
make_key
(umask 077; printf '%s\n' "$KEY" > "$STATE/scripted-key")
give_python_base
as_service mkdir "$WORK/stockade"
give "$REPO/Containerfile" stockade/Containerfile
give "$BENCH_SCRIPTS/netns_forward.py" netns_forward.py
step 'a local Python image, from Debian packages' typed "$WORK" stockade build --quiet -t "$PYTHON_BASE" base
step 'the default agent image' typed "$WORK/stockade" stockade build -f Containerfile -t "$IMAGE" .
as_service "$SERVE/bin/podman-host" tag "$IMAGE" "$KEPT"
LEFT_BEFORE=$(containers)
[ $# -gt 0 ] || set -- none slirp autopilot install ralph ralph.py
for mode in "$@"; do
  case $mode in
    none | slirp | autopilot) agent_run "$mode" ;;
    install) step 'pip install --user' install_run ;;
    ralph) ralph_run patchpal Autopilot; refused_run ;;
    ralph.py) ralph_run ralph.py Ralph ;;
    *) die "there is no mode $mode" ;;
  esac
done
say "the real PatchPal: $PASSED checks hold, $(seconds_since "$start") s"
