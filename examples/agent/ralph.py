#!/usr/bin/env python3
"""A scripted agent with the arguments and the output of a "Ralph loop", for demonstrations and tests.

No model is asked: each iteration writes the next revision of calculator.py from the list below, runs the tests as a
child process and believes nothing but their exit status. The promise is printed once they pass, so another
test_calculator.py takes another number of iterations, and one that cannot pass uses them all up.

Exit status: 0 promise given, 1 iterations used up or an error, 2 wrong usage, 130 interrupted.
Python 3.11, standard library only.
"""

import argparse
import os
import subprocess
import sys
import traceback
from pathlib import Path

RULE = "=" * 80
MODULE = Path("calculator.py")
TESTS = [sys.executable, "-B", "-m", "unittest", "test_calculator"]
TEST_SECONDS = 60

# What the "model" thinks of, in this order; a later revision of a function replaces the earlier one.
REVISIONS = [
    ("add", "def add(a, b):\n    return a + b\n"),
    ("subtract", "def subtract(a, b):\n    return a - b\n"),
    ("multiply", "def multiply(a, b):\n    return a * b\n"),
    ("divide", "def divide(a, b):\n    return a / b\n"),
    (
        "divide",
        "def divide(a, b):\n"
        "    if b == 0:\n"
        '        raise ValueError("division by zero")\n'
        "    return a / b\n",
    ),
]


class Agent:
    """Remembers which revisions it has written; the file itself is written anew each time."""

    def __init__(self, promise):
        self.promise = promise
        self.functions = {}
        self.ideas = iter(REVISIONS)
        self.messages = 0

    def run(self, _prompt):
        """One iteration: one change, one run of the tests, one response."""
        self.messages += 2
        change = self.improve()
        passed, output = run_tests()
        verdict = "The tests pass." if passed else "The tests still fail."
        lines = [change, f"$ {' '.join(['python', *TESTS[1:]])}", output, verdict]
        if passed:
            lines.append(f"<promise>{self.promise}</promise>")
        return "\n".join(lines)

    def improve(self):
        name, source = next(self.ideas, (None, None))
        if name is None:
            return "I have no further idea."
        again = "again " if name in self.functions else ""
        self.functions[name] = source
        header = '"""A calculator, written step by step."""\n\n\n'
        MODULE.write_text(header + "\n\n".join(self.functions.values()), encoding="utf-8")
        return f"I wrote {name}() {again}in {MODULE}."


def run_tests():
    """Runs the tests in a child process. Returns whether they passed, and their last lines."""
    try:
        done = subprocess.run(
            TESTS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TEST_SECONDS,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return False, f"no end after {TEST_SECONDS} s"
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return done.returncode == 0, "\n".join([*lines[-3:], f"exit status {done.returncode}"])


def ralph_loop(prompt, promise, limit, model):
    """The same prompt again and again, until the response holds the promise. Returns that response, or None."""
    say(RULE, "🎭 Ralph Wiggum Loop Starting", RULE)
    say(f"Prompt: {prompt.strip().splitlines()[0][:100] if prompt.strip() else ''}")
    say(f"Completion promise: '{promise}'", f"Max iterations: {limit}", f"Model: {model}")
    agent = Agent(promise)
    for i in range(1, limit + 1):
        say("", RULE, f"🔄 Ralph Iteration {i}/{limit}", RULE)
        response = agent.run(prompt)
        say("", RULE, "📝 Agent Response:", RULE, response, RULE)
        if f"<promise>{promise}</promise>" in response:
            say("", f"✅ COMPLETION DETECTED after {i} iterations!")
            return response
        say("", "⚠️  No completion promise detected. Continuing...", f"   (Messages in history: {agent.messages})")
    say("", f"⚠️  MAX ITERATIONS REACHED ({limit})")
    return None


def say(*lines):
    print(*lines, sep="\n", flush=True)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="ralph.py", description="A scripted agent in a Ralph loop.")
    parser.add_argument("--prompt", help="the task")
    parser.add_argument("--prompt-file", type=Path, help="a file with the task; wins over --prompt")
    parser.add_argument("--completion-promise", required=True, help="the text that claims completion")
    parser.add_argument("--max-iterations", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--model", help="accepted and ignored: nothing is asked")
    arguments = parser.parse_args(argv)
    if not arguments.completion_promise.strip():
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
    model = os.environ.get("PATCHPAL_MODEL", "scripted")
    try:
        done = ralph_loop(arguments.prompt, arguments.completion_promise, arguments.max_iterations, model)
    except KeyboardInterrupt:
        say("", "⚠️  Ralph interrupted by user (Ctrl-C)")
        return 130
    except Exception as error:
        say("", f"❌ Error: {error}")
        traceback.print_exc(file=sys.stdout)
        return 1
    if done is None:
        say("", "⚠️  Ralph did not complete within max iterations")
        return 1
    say("", "✅ Ralph completed successfully!")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
