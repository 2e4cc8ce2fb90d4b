#!/usr/bin/env python3
"""scripted_model.py RECORD: a model server for tests: OpenAI's chat completions on 127.0.0.1, at a free port that it prints.

It has no model. What it answers follows from the messages it is sent and from nothing else: the task, the command and
the promise are read from the prompt, and what it does next from what the tools gave back. Its first hello.py has a bug,
which it corrects only after the tests have told what they expected. Each request and its answer are appended to RECORD
as a line of JSON, credentials included. Standard library only.
"""

import http.server
import itertools
import json
import os
import re
import sys

BODY_BYTES = 16 << 20
WRONG = "Hello World"


class Confused(Exception):
    """The messages are not what the script expects; said as the answer, so that the agent's log tells."""


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
    told = find(rf"assert '{WRONG}' == '([^']*)'", reports[-1])
    return "I correct what hello() returns.", [write("hello.py", f"def hello():\n    return {json.dumps(told)}\n")]


CALCULATOR = """def add(a, b):
    return a + b


def subtract(a, b):
    return {subtract}


def multiply(a, b):
    return a * b


def divide(a, b):
{guard}    return a / b
"""
GUARD = """    if b == 0:
        raise ValueError("division by zero")
"""


def calculate(messages, prompt):
    """Two bugs that its own tests do not find; each is corrected when the prompt tells that a check has found it."""
    told = re.search(r"FAILED \S*::(test_\w+)", prompt)
    told = told[1] if told else None
    results = list(itertools.takewhile(lambda m: m["role"] == "tool", reversed(messages)))
    if not results:
        # of two failures the first is corrected
        subtract = "a - b" if told else "b - a"
        guard = GUARD if told == "test_divide" else ""
        tests = "from calculator import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
        return "I write the module and its tests.", [
            write("calculator.py", CALCULATOR.format(subtract=subtract, guard=guard)),
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


def find(pattern, where):
    found = re.search(pattern, where)
    if not found:
        raise Confused(f"{pattern} is not in {where[:500]!r}")
    return found[1]


def text(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def tool_name(messages, result):
    """The name of the tool that gave this result."""
    for call in (call for m in messages for call in m.get("tool_calls") or []):
        if call["id"] == result["tool_call_id"]:
            return call["function"]["name"]
    raise Confused(f"no call has the id {result['tool_call_id']}")


def completion(content, calls, model, number):
    calls = [
        {"id": f"call_{number}_{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for i, (name, arguments) in enumerate(calls)
    ]
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})},
                "finish_reason": "tool_calls" if calls else "stop",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def events(whole):
    """The same answer as server-sent events, the text and the arguments in pieces."""
    choice = whole["choices"][0]
    message = choice["message"]
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces(message["content"])]
    for index, call in enumerate(message.get("tool_calls", [])):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        deltas.append({"tool_calls": [{**call, "index": index, "function": {"name": name, "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces(arguments)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]})
    head = {**whole, "object": "chat.completion.chunk"}
    usage = head.pop("usage")
    chunks = [{**head, "choices": [one]} for one in choices] + [{**head, "choices": [], "usage": usage}]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def pieces(string):
    return [string[i : i + 16] for i in range(0, len(string), 16)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 < length <= BODY_BYTES:
                raise ValueError("bad length")
            request = json.loads(self.rfile.read(length))
        except ValueError:
            self.record(None, None)
            return self.reply(400, "application/json", json.dumps({"error": {"message": "no JSON of a known length"}}))
        if not self.path.endswith("/chat/completions"):
            self.record(request, None)
            return self.reply(404, "application/json", json.dumps({"error": {"message": f"no {self.path} here"}}))
        try:
            content, calls = answer(request)
        except Confused as confused:
            content, calls = f"I cannot go on: {confused}", []
        except (KeyError, TypeError, StopIteration) as error:
            content, calls = f"I cannot go on: malformed request: {error!r}", []
        self.record(request, {"content": content, "tools": [name for name, _ in calls]})
        whole = completion(content, calls, request.get("model"), next(self.server.numbers))
        if request.get("stream"):
            self.reply(200, "text/event-stream", events(whole))
        else:
            self.reply(200, "application/json", json.dumps(whole))

    def do_GET(self):
        self.record(None, None)
        self.reply(404, "application/json", json.dumps({"error": {"message": f"no {self.path} here"}}))

    def record(self, request, answered):
        line = json.dumps(
            {
                "method": self.command,
                "path": self.path,
                "host": self.headers.get("Host"),
                "authorization": self.headers.get("Authorization"),
                "request": request,
                "answer": answered,
            }
        )
        os.write(self.server.file, (line + "\n").encode())

    def reply(self, status, kind, body):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path, handler=Handler):
        # it holds a key
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.numbers = itertools.count(1)
        super().__init__(("127.0.0.1", 0), handler)


def main(argv):
    if len(argv) != 1:
        sys.exit(__doc__)
    server = Server(argv[0])
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
