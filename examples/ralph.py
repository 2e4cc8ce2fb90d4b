#!/usr/bin/env python3
"""A "Ralph loop" around PatchPal: gives one agent the same prompt again and again until it claims completion.

Copy it into the directory that the sandbox sees; the image needs patchpal. The agent has completed when the last line of
its response is <promise>PROMISE</promise>: mentioning the word, or quoting the prompt, ends nothing.

Exit status: 0 completed, 1 iterations used up or an error, 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

RULE = "=" * 80
DEFAULT_MODEL = "anthropic/claude-sonnet-4-5"
# PatchPal gives back a failed call of the model as a response; one or two may be a passing fault
MODEL_ERROR = "Error calling model:"
MODEL_ERRORS_IN_A_ROW = 3
PAUSE_SECONDS = 5


class ModelFailed(Exception):
    """The model could not be asked, again and again."""


def ralph_loop(agent, prompt, promise, limit):
    """Returns whether the agent has completed within that many iterations. Raises ModelFailed."""
    tag = f"<promise>{promise}</promise>"
    if tag not in prompt:
        prompt = f"{prompt}\n\nWhen all of it is done, end your answer with this line:\n{tag}\n"
    errors = 0
    for i in range(1, limit + 1):
        say("", RULE, f"🔄 Ralph Iteration {i}/{limit}", RULE)
        response = agent.run(prompt, max_iterations=100) or ""
        say("", RULE, "📝 Agent Response:", RULE, response, RULE)
        say(f"💰 Cumulative Cost (after iteration {i}):", *costs(agent))
        if last_line(response) == tag:
            say("", f"✅ COMPLETION DETECTED after {i} iterations!")
            return True
        errors = errors + 1 if response.startswith(MODEL_ERROR) else 0
        if errors == MODEL_ERRORS_IN_A_ROW:
            raise ModelFailed(f"the model failed {errors} times in a row")
        say("", "⚠️  No completion promise detected. Continuing...", f"   (Messages in history: {len(agent.messages)})")
        if errors and i < limit:
            time.sleep(PAUSE_SECONDS * errors)
    say("", f"⚠️  MAX ITERATIONS REACHED ({limit})")
    return False


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def costs(agent):
    yield f"   Total LLM calls: {agent.total_llm_calls}"
    yield f"   Total tokens: {agent.cumulative_input_tokens + agent.cumulative_output_tokens:,}"
    if agent.cumulative_cost > 0:
        yield f"   Total cost: ${agent.cumulative_cost:.4f}"


def say(*lines):
    print(*lines, sep="\n", flush=True)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="ralph.py", description="Runs PatchPal in a loop until it claims completion.")
    parser.add_argument("--prompt", help="the task")
    parser.add_argument("--prompt-file", type=Path, help="a file with the task; wins over --prompt")
    parser.add_argument("--completion-promise", required=True, help="what the agent says, tagged, when it has completed")
    parser.add_argument("--max-iterations", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--model", help=f"default: $PATCHPAL_MODEL, else {DEFAULT_MODEL}")
    arguments = parser.parse_args(argv)
    arguments.completion_promise = arguments.completion_promise.strip()
    if not arguments.completion_promise:
        parser.error("--completion-promise is empty")
    if arguments.prompt_file is not None:
        try:
            arguments.prompt = arguments.prompt_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            parser.error(f"{arguments.prompt_file}: {error}")
    if arguments.prompt is None:
        parser.error("--prompt or --prompt-file is needed")
    return arguments


def main(argv):
    arguments = parse_arguments(argv)
    # nobody is there to be asked
    os.environ["PATCHPAL_REQUIRE_PERMISSION"] = "false"
    try:
        # after the arguments are checked: the import takes seconds
        from patchpal.agent import create_agent

        agent = create_agent(model_id=arguments.model or os.environ.get("PATCHPAL_MODEL") or DEFAULT_MODEL)
        say(RULE, "🎭 Ralph Wiggum Loop Starting", RULE)
        say(f"Prompt: {arguments.prompt.strip()[:100]}", f"Completion promise: '{arguments.completion_promise}'")
        say(f"Max iterations: {arguments.max_iterations}", f"Model: {agent.model_id}")
        done = ralph_loop(agent, arguments.prompt, arguments.completion_promise, arguments.max_iterations)
    except KeyboardInterrupt:
        say("", "⚠️  Ralph interrupted by user (Ctrl-C)")
        return 130
    except ModelFailed as error:
        say("", f"❌ Error: {error}")
        return 1
    except Exception as error:
        say("", f"❌ Error: {error}")
        traceback.print_exc(file=sys.stdout)
        return 1
    say("", "✅ Ralph completed successfully!" if done else "⚠️  Ralph did not complete within max iterations")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
