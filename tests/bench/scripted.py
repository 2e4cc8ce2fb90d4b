"""What scripted_model.py and scripted_apis.py have in common: a server on 127.0.0.1 that keeps a record of what it is asked,
OpenAI's chat completions, and the module that an agent is told to write, with its bugs. Standard library only.
"""

import http.server
import itertools
import json
import os
import re
import sys
import time

BODY_BYTES = 64 << 20


class Confused(Exception):
    """The messages are not what the script expects; said as the answer, so that the agent's log tells."""


def find(pattern, where):
    found = re.search(pattern, where)
    if not found:
        raise Confused(f"{pattern} is not in {where[:500]!r}")
    return found[1]


def text(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


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


def told(prompt):
    """The test that a check has said to fail, of two the first."""
    found = re.search(r"FAILED \S*::(test_\w+)", prompt)
    return found and found[1]


def calculator(failed):
    """The module, with two bugs; each is corrected when a check has found it."""
    return CALCULATOR.format(subtract="a - b" if failed else "b - a", guard=GUARD if failed == "test_divide" else "")


def played(script, nothing):
    """The text and the calls that a script answers, or why it cannot and `nothing`."""
    try:
        return script()
    except Confused as confused:
        why = confused
    except (KeyError, TypeError, AttributeError, StopIteration) as odd:
        why = f"malformed request: {odd!r}"
    return f"I cannot go on: {why}", nothing


# ---- chat completions ---------------------------------------------------------


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


# ---- the server ---------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """answer_to(request) is left to do."""

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
            return self.reply(400, {"error": {"message": "no JSON of a known length"}})
        return self.answer_to(request)

    def do_GET(self):
        self.nothing_here(None)

    def nothing_here(self, request):
        self.record(request, None)
        self.reply(404, {"error": {"message": f"no {self.path} here"}})

    def record(self, request, answered):
        keys = ("Authorization", "X-Api-Key", "X-Goog-Api-Key")
        key = next((self.headers[name] for name in keys if self.headers[name]), None)
        line = {"at": time.time(), "method": self.command, "path": self.path, "key": key, "request": request, "answer": answered}
        os.write(self.server.file, (json.dumps(line) + "\n").encode())

    def reply(self, status, body, headers=()):
        """A body that is text is one of server-sent events."""
        is_stream = isinstance(body, str)
        body = (body if is_stream else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path, handler):
        # it holds a key
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.numbers = itertools.count(1)
        super().__init__(("127.0.0.1", 0), handler)


def serve(argv, usage, handler):
    if len(argv) != 1:
        sys.exit(usage)
    server = Server(argv[0], handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
