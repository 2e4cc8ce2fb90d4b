#!/usr/bin/env python3
"""scripted_model.py RECORD: a model server for tests: OpenAI's chat completions on 127.0.0.1, at a free port that it prints.

It has no model. What it answers follows from the messages it is sent and from nothing else: the task, the command and
the promise are read from the prompt, and what it does next from what the tools gave back. Its first hello.py has a bug,
which it corrects only after the tests have told what they expected. Each request and its answer are appended to RECORD
as a line of JSON, credentials included. Standard library only.
"""

import itertools
import json
import re
import sys

import scripted
from scripted import Confused, calculator, completion, events, find, played, text, told

WRONG = "Hello World"


def answer(request):
    """Returns the text and the tool calls, a list of (name, arguments), that come next."""
    messages = request["messages"]
    offered = {tool["function"]["name"] for tool in request.get("tools", [])}
    if not {"write_file", "run_shell"} <= offered:
        raise Confused(f"the tools offered are {sorted(offered)}")
    prompt = next(text(m) for m in reversed(messages) if m["role"] == "user")
    if "calculator.py" in prompt:
        return calculate(messages, prompt)
    expected = find(r'returns "([^"]+)"', prompt)
    command = find(r'run_shell\("([^"]+)"\)', prompt)
    promise = find(r"(<promise>[^<]+</promise>)", prompt)

    if messages[-1]["role"] == "tool":
        # the results of the calls in one answer
        results = list(itertools.takewhile(lambda m: m["role"] == "tool", reversed(messages)))
        if tool_name(messages, results[0]) == "write_file":
            if not all(text(m).startswith("Successfully updated ") for m in results):
                raise Confused(f"writing failed: {[text(m)[:200] for m in results]}")
            return "Now the tests.", [("run_shell", {"cmd": command})]
        if passed(text(results[0])):
            return f"The tests pass.\n\n{promise}", []
        # no promise here: the loop has to come round again
        return "A test fails, so the task is not done.", []

    reports = [text(m) for m in messages if m["role"] == "tool" and tool_name(messages, m) == "run_shell"]
    if not reports:
        return "I write the module and its tests.", [
            write("hello.py", f"def hello():\n    return {json.dumps(WRONG)}\n"),
            write(
                "test_hello.py",
                f"from hello import hello\n\n\ndef test_hello():\n    assert hello() == {json.dumps(expected)}\n",
            ),
        ]
    if passed(reports[-1]):
        return f"The tests have passed.\n\n{promise}", []
    wanted = find(rf"assert '{WRONG}' == '([^']*)'", reports[-1])
    return "I correct what hello() returns.", [write("hello.py", f"def hello():\n    return {json.dumps(wanted)}\n")]


def calculate(messages, prompt):
    """Its own tests do not find its bugs."""
    results = list(itertools.takewhile(lambda m: m["role"] == "tool", reversed(messages)))
    if not results:
        tests = "from calculator import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
        return "I write the module and its tests.", [
            write("calculator.py", calculator(told(prompt))),
            write("test_calculator.py", tests),
        ]
    if tool_name(messages, results[0]) == "write_file":
        return "Now the tests.", [("run_shell", {"cmd": find(r'run_shell\("([^"]+)"\)', prompt)})]
    if not passed(text(results[0])):
        raise Confused("its own tests cannot fail")
    return f"All tests pass.\n\n{find(r'(<promise>[^<]+</promise>)', prompt)}", []


def write(path, content):
    return "write_file", {"path": path, "content": content}


def passed(report):
    """Reads pytest's summary; no summary is neither."""
    failed = re.search(r"\b[1-9]\d* (failed|error)", report)
    if not failed and not re.search(r"\b[1-9]\d* passed", report):
        raise Confused(f"no test has run: {report[:500]}")
    return not failed


def tool_name(messages, result):
    """The name of the tool that gave this result."""
    for call in (call for m in messages for call in m.get("tool_calls") or []):
        if call["id"] == result["tool_call_id"]:
            return call["function"]["name"]
    raise Confused(f"no call has the id {result['tool_call_id']}")


class Handler(scripted.Handler):
    def answer_to(self, request):
        if not self.path.endswith("/chat/completions"):
            return self.nothing_here(request)
        content, calls = played(lambda: answer(request), [])
        self.record(request, {"content": content, "tools": [name for name, _ in calls]})
        whole = completion(content, calls, request.get("model"), next(self.server.numbers))
        return self.reply(200, events(whole) if request.get("stream") else whole)


if __name__ == "__main__":
    scripted.serve(sys.argv[1:], __doc__, Handler)
