#!/usr/bin/env python3
"""scripted_apis.py RECORD: the APIs of several providers for tests, on 127.0.0.1, at a free port that it prints.

Anthropic's messages, OpenAI's responses and chat completions, Google's generateContent. There is no model: the agent is
told to write a calculator by whatever shell it has offered, twice with a bug that it says it has not.
The first part of a path is what becomes of the request: "works", or the name of an error, which is answered as that provider
answers it. Each request is appended to RECORD as a line of JSON, credentials included. Standard library only.
"""

import json
import sys

import scripted
from scripted import Confused, calculator, completion, events, find, played, text, told

# what a program calls its shell
SHELLS = ["Bash", "bash", "exec_command", "shell_command", "shell", "run_shell_command", "run_shell", "exec"]


def answer(turn):
    """The text, and the call of a tool if there is one, that come next."""
    prompt, results, tools = turn
    if "calculator.py" not in prompt:
        # a title for the session, and the like
        return "A calculator", None
    promise = find(r"(<promise>[^<]+</promise>)", prompt)
    module = calculator(told(prompt))
    done = f"calculator.py is written and works.\n\n{promise}"
    shell = next((name for name in SHELLS if name in tools), None)
    if shell is None:
        if any(tools):
            raise Confused(f"the tools offered are {sorted(tools)}")
        # aider's files
        return f"calculator.py\n```\n{module}```\n\n{done}", None
    if not results:
        # the tool's output has the promise, too, which claims nothing
        command = f"cat > calculator.py <<'END'\n{module}END\necho written; echo '{promise}'"
        return "I write the module.", (shell, arguments(tools[shell], command))
    if "written" not in results[-1]:
        raise Confused(f"writing failed: {results[-1][:500]!r}")
    return done, None


def arguments(schema, command):
    """A command, as a shell's parameters are called here."""
    if schema is None:
        # codex's, which takes JavaScript
        return f"text(JSON.stringify(await tools.exec_command({json.dumps({'cmd': command})})))"
    known = schema.get("properties", {})
    filled = {"description": "Writes the module"} if "description" in known else {}
    for name in ("command", "cmd"):
        if name in known:
            is_list = known[name].get("type") == "array"
            return {**filled, name: ["bash", "-c", command] if is_list else command}
    raise Confused(f"a shell's parameters are {sorted(known)}")


# ---- what is asked, whatever the API ------------------------------------------


def of_parts(content):
    return content if isinstance(content, str) else "\n".join(part.get("text") or "" for part in content or [])


def asked_messages(request):
    """Anthropic's."""
    prompt, results = "", []
    for message in request["messages"]:
        if message["role"] != "user":
            continue
        parts = message["content"] if isinstance(message["content"], list) else [{"type": "text", "text": message["content"]}]
        answers = [of_parts(part.get("content")) for part in parts if part["type"] == "tool_result"]
        if answers:
            results += answers
        else:
            prompt, results = prompt + of_parts(parts), []
    return prompt, results, {tool["name"]: tool.get("input_schema", {}) for tool in request.get("tools", [])}


def asked_responses(request):
    """OpenAI's, the newer; codex has its tools among the messages."""
    prompt, results, offered = "", [], list(request.get("tools", []))
    for item in request["input"]:
        if item.get("role") == "user":
            prompt, results = prompt + of_parts(item["content"]), []
        elif item.get("type", "").endswith("_output"):
            results.append(of_parts(item["output"]))
        elif item.get("type") == "additional_tools":
            offered += [tool for space in item["tools"] for tool in space.get("tools", [space])]
    # one that is a program has no parameters
    return prompt, results, {tool["name"]: tool.get("parameters") for tool in offered if "name" in tool}


def asked_chat(request):
    """OpenAI's, the older."""
    prompt, results = "", []
    for message in request["messages"]:
        if message["role"] == "user":
            prompt, results = prompt + text(message), []
        elif message["role"] == "tool":
            results.append(text(message))
    functions = [tool["function"] for tool in request.get("tools", [])]
    return prompt, results, {function["name"]: function.get("parameters", {}) for function in functions}


def asked_contents(request):
    """Google's."""
    prompt, results = "", []
    for content in request["contents"]:
        parts = content["parts"]
        answers = [json.dumps(part["functionResponse"]["response"]) for part in parts if "functionResponse" in part]
        if answers:
            results += answers
        elif content.get("role", "user") == "user":
            prompt, results = prompt + of_parts(parts), []
    functions = [function for tool in request.get("tools", []) for function in tool.get("functionDeclarations", [])]
    schemas = {f["name"]: f.get("parametersJsonSchema") or f.get("parameters") or {} for f in functions}
    return prompt, results, schemas


# ---- what is answered -----------------------------------------------------------


def sse(pairs):
    return "".join((f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" for name, data in pairs)


def say_messages(said, call, request, number):
    blocks = [{"type": "text", "text": said}]
    if call:
        blocks.append({"type": "tool_use", "id": f"toolu_{number}", "name": call[0], "input": call[1]})
    usage = {"input_tokens": 100, "output_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    whole = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": blocks,
        "stop_reason": "tool_use" if call else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if not request.get("stream"):
        return whole, None
    parts = [("message_start", {"message": {**whole, "content": [], "stop_reason": None}})]
    for index, block in enumerate(blocks):
        is_text = block["type"] == "text"
        empty = {"text": ""} if is_text else {"input": {}}
        delta = {"type": "text_delta", "text": said} if is_text else {
            "type": "input_json_delta",
            "partial_json": json.dumps(block["input"]),
        }
        parts.append(("content_block_start", {"index": index, "content_block": {**block, **empty}}))
        parts.append(("content_block_delta", {"index": index, "delta": delta}))
        parts.append(("content_block_stop", {"index": index}))
    parts.append(("message_delta", {"delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}, "usage": usage}))
    parts.append(("message_stop", {}))
    return None, sse((name, {"type": name, **data}) for name, data in parts)


def say_responses(said, call, request, number):
    items = [
        {
            "type": "message",
            "id": f"msg_{number}",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": said, "annotations": []}],
        }
    ]
    if call:
        is_program = isinstance(call[1], str)
        head = {"id": f"fc_{number}", "status": "completed", "call_id": f"call_{number}", "name": call[0]}
        if is_program:
            items.append({**head, "type": "custom_tool_call", "input": call[1]})
        else:
            items.append({**head, "type": "function_call", "arguments": json.dumps(call[1])})
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 110,
    }
    head = {"id": f"resp_{number}", "object": "response", "created_at": 0, "model": request["model"]}
    whole = {**head, "status": "completed", "output": items, "usage": usage}
    if not request.get("stream"):
        return whole, None
    parts = [("response.created", {"response": {**head, "status": "in_progress", "output": []}})]
    for index, item in enumerate(items):
        begun = {**item, "status": "in_progress", **({"content": []} if "content" in item else {})}
        parts.append(("response.output_item.added", {"output_index": index, "item": begun}))
        if "content" in item:
            place = {"item_id": item["id"], "output_index": index, "content_index": 0}
            parts.append(("response.output_text.delta", {**place, "delta": said}))
        parts.append(("response.output_item.done", {"output_index": index, "item": item}))
    parts.append(("response.completed", {"response": whole}))
    numbered = enumerate(parts)
    return None, sse((name, {"type": name, "sequence_number": n, **data}) for n, (name, data) in numbered)


def say_chat(said, call, request, number):
    whole = completion(said, [call] if call else [], request["model"], number)
    return (None, events(whole)) if request.get("stream") else (whole, None)


def say_contents_streamed(said, call, request, number):
    whole, _ = say_contents(said, call, request, number)
    return None, sse([(None, whole)])


def say_contents(said, call, request, number):
    wanted = request.get("generationConfig", {}).get("responseJsonSchema", {}).get("properties")
    if wanted:
        # which model is the right one, and the like
        said = json.dumps({name: 50 if kind["type"] == "INTEGER" else "…" for name, kind in wanted.items()})
    parts = [{"text": said}] + ([{"functionCall": {"name": call[0], "args": call[1]}}] if call else [])
    whole = {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10, "totalTokenCount": 110},
        "modelVersion": "scripted",
        "responseId": str(number),
    }
    return whole, None


# ---- errors, as the providers have them -------------------------------------------

ANTHROPIC = {
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "forbidden": (403, "permission_error", "Your API key does not have permission to use the specified resource."),
    "quota": (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    ),
    "model": (404, "not_found_error", "model: claude-none"),
    "limit": (429, "rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute."),
    "broken": (500, "api_error", "Internal server error"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
}
OPENAI = {
    "auth": (
        401,
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided: sk-*****. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    "forbidden": (403, "request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported"),
    "quota": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "model": (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model `gpt-none` does not exist or you do not have access to it.",
    ),
    "limit": (
        429,
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for gpt-5 in organization org-0 on tokens per min (TPM): Limit 30000, Used 29900, Requested 500.",
    ),
    "broken": (500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later"),
}
GOOGLE = {
    "auth": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"),
    "forbidden": (
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
        None,
    ),
    "quota": (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
        None,
    ),
    "model": (
        404,
        "NOT_FOUND",
        "models/gemini-none is not found for API version v1beta, or is not supported for generateContent.",
        None,
    ),
    "limit": (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", None),
    "broken": (500, "INTERNAL", "An internal error has occurred. Please retry or report.", None),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", None),
}


def error(path, name):
    """The status and the body of an error, as this path's provider has it."""
    if "/messages" in path:
        status, kind, said = ANTHROPIC[name]
        return status, {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_0"}
    if "GenerateContent" in path or "generateContent" in path:
        status, kind, said, reason = GOOGLE[name]
        told = {"code": status, "message": said, "status": kind}
        if reason:
            info = "type.googleapis.com/google.rpc.ErrorInfo"
            told["details"] = [{"@type": info, "reason": reason, "domain": "googleapis.com"}]
        return status, {"error": told}
    status, kind, code, said = OPENAI[name]
    return status, {"error": {"message": said, "type": kind, "param": None, "code": code}}


# ---- the server --------------------------------------------------------------------


class Handler(scripted.Handler):
    def place(self):
        """What becomes of the request, and the path that is meant."""
        fate, _, path = self.path[1:].partition("/")
        return fate, "/" + path

    def answer_to(self, request):
        fate, path = self.place()
        fate, _, later = fate.partition("-")
        if fate in OPENAI:
            status, body = error(path, fate)
            self.record(request, fate)
            return self.reply(status, body, {"retry-after": later} if later else {})
        asked, say = api(path)
        if fate != "works" or not asked:
            return self.nothing_here(request)
        said, call = played(lambda: answer(asked(request)), None)
        self.record(request, {"content": said, "tool": call and call[0]})
        whole, stream = say(said, call, request, next(self.server.numbers))
        return self.reply(200, whole if stream is None else stream)

    def do_GET(self):
        fate, path = self.place()
        self.record(None, None)
        if fate in OPENAI:
            self.reply(*error(path, fate))
        elif self.headers["Upgrade"]:
            # codex asks for a socket first, and goes on without one
            self.reply(426, {"error": {"message": "no sockets here"}})
        else:
            self.reply(404, {"error": {"message": f"no {self.path} here"}})

    do_HEAD = do_GET


def api(path):
    """How a request at this path is read, and how it is answered."""
    route = path.partition("?")[0]
    if route.endswith("/messages"):
        return asked_messages, say_messages
    if route.endswith("/responses"):
        return asked_responses, say_responses
    if route.endswith("/chat/completions"):
        return asked_chat, say_chat
    if route.endswith(":generateContent"):
        return asked_contents, say_contents
    if route.endswith(":streamGenerateContent"):
        return asked_contents, say_contents_streamed
    return None, None


if __name__ == "__main__":
    scripted.serve(sys.argv[1:], __doc__, Handler)
