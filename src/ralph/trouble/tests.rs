use super::*;
use crate::ralph::Agent;

fn found(agent: &str, said: Said<'_>) -> Option<Trouble> {
    let errors = Agent::preset(agent).unwrap().errors;
    errors.find(said).map(|refusal| refusal.trouble)
}

fn rest(agent: &str, text: &str) -> Option<Trouble> {
    let rest = [text];
    found(
        agent,
        Said {
            failure: "",
            rest: &rest,
            exit_code: 1,
        },
    )
}

fn failure(agent: &str, failure: &str) -> Option<Trouble> {
    found(
        agent,
        Said {
            failure,
            rest: &[],
            exit_code: 1,
        },
    )
}

/// As the real programs and APIs put it.
#[test]
fn what_real_ones_say_is_understood() {
    use Trouble::*;
    for (text, trouble) in [
        (
            r#"litellm.AuthenticationError: AnthropicException - b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'"#,
            Auth,
        ),
        (
            "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided: sk-proj-****. You can find your API key at https://platform.openai.com/account/api-keys.",
            Auth,
        ),
        (
            "litellm.AuthenticationError: Missing Anthropic API Key - A call is being made to anthropic but no key is set either in the environment variables or via params.",
            Auth,
        ),
        (
            "Error code: 401 - {'type': 'error', 'error': {'type': 'authentication_error', 'message': 'invalid x-api-key'}}",
            Auth,
        ),
        (
            "litellm.RateLimitError: RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and billing details.",
            Quota,
        ),
        (
            "Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota', 'param': None, 'code': 'insufficient_quota'}}",
            Quota,
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
            Quota,
        ),
        (
            r#"litellm.NotFoundError: AnthropicException - {"type":"error","error":{"type":"not_found_error","message":"model: claude-none"}}"#,
            Model,
        ),
        (
            "The model `gpt-none` does not exist or you do not have access to it.",
            Model,
        ),
        (
            r#"litellm.RateLimitError: AnthropicException - {"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed the rate limit"}}"#,
            RateLimit,
        ),
        (
            r#"litellm.InternalServerError: AnthropicException - {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
        ),
        (
            "litellm.ServiceUnavailableError: AnthropicException - 503 Service Unavailable",
            Overloaded,
        ),
        (
            "litellm.InternalServerError: InternalServerError: Hosted_vllmException - Connection error.",
            Unreachable,
        ),
        (
            "litellm.APIConnectionError: Cannot connect to host localhost:11434 ssl:default [Connection refused]",
            Unreachable,
        ),
        (
            "ConnectionRefusedError: [Errno 111] Connection refused",
            Unreachable,
        ),
        (
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.openai.com', port=443): Max retries exceeded with url: /v1 (Caused by NameResolutionError)",
            Unreachable,
        ),
        (
            "TypeError: fetch failed\n    at node:internal/deps/undici/undici:13502:13\n  [cause]: Error: connect ECONNREFUSED 127.0.0.1:443",
            Unreachable,
        ),
        (
            "Error: getaddrinfo ENOTFOUND api.anthropic.com",
            Unreachable,
        ),
        (
            "Post \"https://api.openai.com/v1\": dial tcp: lookup api.openai.com on 127.0.0.1:53: no such host",
            Unreachable,
        ),
        (
            "Post \"http://127.0.0.1:1\": dial tcp 127.0.0.1:1: connect: connection refused",
            Unreachable,
        ),
        (
            "error sending request for url (https://api.anthropic.com/v1/messages)",
            Unreachable,
        ),
    ] {
        assert_eq!(rest("command", text), Some(trouble), "{text}");
        let told = format!("Error calling model: {text}");
        assert_eq!(rest("patchpal", &told), Some(trouble), "{told}");
        assert_eq!(
            rest("goose", &format!("Ran into this error: {text}")),
            Some(trouble)
        );
    }
    for (text, trouble) in [
        (
            r#"API Error: 401 {"type":"error","error":{"type":"authentication_error","message":"OAuth authentication is currently not supported."},"request_id":"req_0"}"#,
            Auth,
        ),
        ("Invalid API key · Please run /login", Auth),
        ("Credit balance is too low", Quota),
        (
            r#"API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
        ),
        (
            r#"API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"…"}}"#,
            RateLimit,
        ),
        ("Claude AI usage limit reached|1755806400", RateLimit),
        ("API Error: Connection error.", Unreachable),
        ("API Error: 500 {\"type\":\"error\"}", Overloaded),
    ] {
        assert_eq!(failure("claude", text), Some(trouble), "{text}");
    }
    for (text, trouble) in [
        (
            "unexpected status 401 Unauthorized: Missing bearer authentication in header",
            Auth,
        ),
        (
            "exceeded retry limit, last status: 429 Too Many Requests, request id: 0",
            RateLimit,
        ),
        (
            "You've hit your usage limit. Try again in 2 hours.",
            RateLimit,
        ),
        (
            "stream disconnected before completion: error sending request for url (https://api.openai.com/v1/responses)",
            Unreachable,
        ),
    ] {
        assert_eq!(failure("codex", text), Some(trouble), "{text}");
    }
    for (text, trouble) in [
        (
            "[API Error: API key not valid. Please pass a valid API key. (Status: INVALID_ARGUMENT)]",
            Auth,
        ),
        (
            "Error when talking to Gemini API\n{\"error\":{\"code\":429,\"message\":\"Resource has been exhausted\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
            RateLimit,
        ),
        (
            "[API Error: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}]",
            Overloaded,
        ),
    ] {
        assert_eq!(rest("gemini", text), Some(trouble), "{text}");
    }
}

#[test]
fn work_on_such_errors_is_none() {
    let text =
        "The client now retries when it meets an AuthenticationError or 429 Too Many Requests.";
    for agent in ["patchpal", "ralph.py", "aider", "goose"] {
        assert_eq!(rest(agent, text), None, "{agent}");
    }
    for (text, exit_code) in [(text, 0), ("All tests pass.", 1), ("", 1)] {
        let rest = [text];
        let said = Said {
            failure: "",
            rest: &rest,
            exit_code,
        };
        assert_eq!(found("command", said), None, "{text}");
    }
    assert_eq!(failure("claude", "error_max_turns"), None);
}

#[test]
fn the_last_line_that_tells_is_what_counts() {
    let text = "429 Too Many Requests, retrying\n\x1b[31mError code: 401\x1b[0m - no\nBye.\n";
    let errors = Errors::default();
    let rest = [text];
    let refusal = errors.find(Said {
        rest: &rest,
        ..Said::default()
    });
    let refusal = refusal.unwrap();
    assert_eq!(refusal.trouble, Trouble::Auth);
    assert_eq!(refusal.text, "[31mError code: 401[0m - no");
    let long = format!("connection refused {}", "ä".repeat(900));
    let rest = [long.as_str()];
    let refusal = errors.find(Said {
        rest: &rest,
        ..Said::default()
    });
    assert_eq!(refusal.unwrap().text.len(), TEXT - 1);
}

#[test]
fn what_is_common_can_be_read() {
    let common = Errors::common();
    let classes = [
        common.quota,
        common.auth,
        common.model,
        common.rate_limit,
        common.unreachable,
        common.overloaded,
    ];
    assert!(classes.iter().all(|class| class.len() > 3));
    // An empty part would fit everything.
    assert!(classes.concat().iter().all(|pattern| pattern.len() > 6));
}

#[test]
fn amounts_and_times_make_no_other_refusal_of_it() {
    let refusal = |trouble, text: &str| Refusal {
        trouble,
        text: excerpt(text),
    };
    let limited = |used: u32, text: &str| {
        let text = format!("Rate limit: Limit 30000, Used {used}. Try again in {used}ms. {text}");
        refusal(Trouble::RateLimit, &text)
    };
    let long = "All that follows is of no use to anybody. ".repeat(10);
    for text in ["", &long] {
        assert!(limited(9, text).is_like(&limited(29_900, text)), "{text}");
        let other = limited(9, "Request req_011 is too large");
        assert!(!limited(9, text).is_like(&other), "{text}");
    }
    let json = |text: &str| {
        let text = format!("{{\"code\":401,\"message\":\"{text}\"}}");
        refusal(Trouble::Auth, &text)
    };
    assert!(json("req7").is_like(&json("req19")) && !json("no").is_like(&json("yes")));
    let [one, other] =
        [Trouble::RateLimit, Trouble::Overloaded].map(|trouble| refusal(trouble, "no"));
    assert!(one.is_like(&one) && !one.is_like(&other));
}
