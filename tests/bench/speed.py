#!/usr/bin/env python3
"""Measures Stockade beside `podman --remote` and `podman`: same service, same run, turn by turn.

Started by speed.sh, as the service's user, with what is compared in the environment. Prints one table row a line as
`section|what|figure|...`; nothing is asserted, except that what was measured did what it should have done.
"""

import os
import pty
import select
import socket
import statistics
import subprocess
import sys
import termios
import time
import tty

from figures import Wrong, compared, counted, mib, ratio, row, spread, supervisor

STOCKADE = os.environ["SPEED_STOCKADE"]
PARALLEL = os.environ["SPEED_PARALLEL"]
CHECKPOINTS = os.environ["SPEED_CHECKPOINTS"]
SOCKET = os.environ["SPEED_SOCKET"]
AREA = os.environ["SPEED_AREA"]
WORK = os.environ["SPEED_WORK"]
ROUNDS = int(os.environ["SPEED_ROUNDS"])
IMAGE = "localhost/speed:latest"
GIB = 1 << 30
REMOTE = ["podman", "--remote", "--url", f"unix://{SOCKET}"]
LOCAL = ["podman", "--root", f"{AREA}/root", "--runroot", f"{AREA}/rr"]
# the service's own runtime directory: Podman insists on the one that its database was made with
LOCAL_ENV = {**os.environ, "XDG_RUNTIME_DIR": f"{AREA}/run"}
LOCAL_ENV.pop("CONTAINER_HOST", None)
TEXT = "i=0; while [ $i -lt 64 ]; do cat /text; i=$((i+1)); done"
NAME = "speed-echo"


# ---- one measurement --------------------------------------------------------


def seconds(command, env=None, output=None):
    """Wall time of a whole process that has to succeed; `output` is how many bytes it has to write."""
    sink = subprocess.PIPE if output else subprocess.DEVNULL
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.PIPE, env=env
    )
    written = drain(process.stdout.fileno()) if output else None
    _, errors = process.communicate()
    took = time.perf_counter() - start
    if process.returncode != 0:
        raise Wrong(f"{command}: exit status {process.returncode}: {errors.decode(errors='replace')}")
    if output and written != output:
        raise Wrong(f"{command}: {written} bytes where {output} were expected")
    return took


def drain(descriptor):
    """Reads to the end, and counts."""
    total = 0
    while True:
        try:
            data = os.read(descriptor, 1 << 20)
        except OSError:  # a terminal whose other end is closed
            return total
        if not data:
            return total
        total += len(data)


def peak(command, env=None, output=None):
    """Wall time and peak resident memory in KiB of one process."""
    report = f"{WORK}/peak"
    took = seconds(["/usr/bin/time", "-o", report, "-f", "%M", *command], env, output)
    with open(report, encoding="ascii") as lines:
        return took, int(lines.read().split()[-1])


def on_terminal(command, output):
    """As `peak`, on a pseudo-terminal of its own, whose other end is read as fast as it comes."""
    report = f"{WORK}/peak"
    start = time.perf_counter()
    child, master = pty.fork()
    if child == 0:
        os.execv("/usr/bin/time", ["time", "-o", report, "-f", "%M", *command])
    written = drain(master)
    _, status = os.waitpid(child, 0)
    took = time.perf_counter() - start
    os.close(master)
    # What is said of limits, and what puts the terminal back, comes on top.
    if status != 0 or not output <= written <= output + 4096:
        raise Wrong(f"{command}: status {status}, {written} bytes where {output} were expected")
    with open(report, encoding="ascii") as lines:
        return took, int(lines.read().split()[-1])


def in_turns(rounds, measures, warm_up=1):
    """Calls each in turn, `warm_up` times unmeasured and then `rounds` times: lists of results, by name."""
    results = {name: [] for name in measures}
    for turn in range(warm_up + rounds):
        for name, measure in measures.items():
            result = measure()
            if turn >= warm_up:
                results[name].append(result)
    return results


# ---- sections ---------------------------------------------------------------


def run():
    tail = ["run", "--rm", "--network", "none", IMAGE, "true"]
    compared(
        "`run --rm --network none IMAGE true`",
        in_turns(ROUNDS, {
            "stockade": lambda: seconds([STOCKADE, *tail]),
            "remote": lambda: seconds([*REMOTE, *tail]),
            "podman": lambda: seconds([*LOCAL, *tail], LOCAL_ENV),
        }),
    )
    _, memory = peak([STOCKADE, *tail])
    _, theirs = peak([*REMOTE, *tail])
    row("— peak memory", [mib([memory]), mib([theirs]), "–"])


def ps():
    compared(
        "`ps`",
        in_turns(2 * ROUNDS, {
            "stockade": lambda: seconds([STOCKADE, "ps"]),
            "remote": lambda: seconds([*REMOTE, "ps"]),
            "podman": lambda: seconds([*LOCAL, "ps"], LOCAL_ENV),
        }),
    )
    compared(
        "`--version`",
        in_turns(2 * ROUNDS, {
            "stockade": lambda: seconds([STOCKADE, "--version"]),
            "remote": lambda: seconds(["podman", "--remote", "--version"]),
            "podman": lambda: seconds(["podman", "--version"], LOCAL_ENV),
        }),
    )


def build():
    context = f"{WORK}/context"
    make_context(context)
    for what, copy, rounds in (
        ("`build`, context of 1 GiB, all copied", "COPY . /", 3),
        ("`build`, context of 1 GiB, `COPY one-file /`", "COPY one-file /", 5),
    ):
        with open(f"{context}/Containerfile", "w", encoding="ascii") as file:
            file.write(f"FROM scratch\n{copy}\n")
        tail = ["build", "--no-cache", "-t", "localhost/speed-built", context]
        results = in_turns(rounds, {
            "stockade": lambda tail=tail: built([STOCKADE, *tail]),
            "remote": lambda tail=tail: built([*REMOTE, *tail]),
        }, warm_up=0)
        times = {name: [took for took, _ in values] for name, values in results.items()}
        compared(what, times, 1, "s", 2)
        row("— peak memory", [mib([kib for _, kib in results[name]]) for name in ("stockade", "remote")] + ["–"])


def built(command):
    result = peak(command)
    quiet([*REMOTE, "rmi", "--force", "localhost/speed-built"])
    return result


def make_context(directory):
    os.makedirs(directory, exist_ok=True)
    for number in range(1024):
        with open(f"{directory}/part-{number:04}", "wb") as file:
            file.write(os.urandom(1 << 20))
    with open(f"{directory}/one-file", "w", encoding="ascii") as file:
        file.write("one file\n")


def attach():
    # without the log, which is conmon's work and the disk's
    run_it = ["run", "--rm", "--network", "none", "--log-driver", "none"]
    zeros = [IMAGE, "dd", "if=/dev/zero", "bs=1M", "count=1024"]
    text = [IMAGE, "sh", "-c", TEXT]
    # the container's terminal makes two bytes of each newline
    lines = GIB + GIB // 64
    ways = (
        ("1 GiB out, no TTY, into a pipe", [*run_it, *zeros], GIB, peak_of),
        ("1 GiB out, `-t`, into a pipe", [*run_it, "-t", *text], lines, peak_of),
        ("1 GiB out, `-it`, onto a terminal", [*run_it, "-it", *text], lines, on_terminal),
    )
    for what, tail, output, how in ways:
        results = in_turns(3, {
            "stockade": lambda tail=tail, output=output, how=how: how([STOCKADE, *tail], output),
            "remote": lambda tail=tail, output=output, how=how: how([*REMOTE, *tail], output),
        }, warm_up=0)
        rates = {name: [output / took / (1 << 20) for took, _ in values] for name, values in results.items()}
        ours, theirs = rates["stockade"], rates["remote"]
        row(what, [spread(rates[name], 1, "MiB/s", 0) for name in rates] + ["–"], [f"{ratio(ours, theirs)} the rate", "–"])
        row("— peak memory", [mib([kib for _, kib in results[name]]) for name in results] + ["–"])


def peak_of(command, output):
    return peak(command, output=output)


def parallel():
    tail = ["run", "--rm", "--network", "none", IMAGE, "true"]
    results = in_turns(3, {
        "one": lambda: peak([PARALLEL, SOCKET, IMAGE, "50"]),
        "stockade": lambda: all_at_once([STOCKADE, *tail], 50),
        "remote": lambda: all_at_once([*REMOTE, *tail], 50),
    })
    times = {"stockade": [took for took, _ in results["one"]], "remote": results["remote"]}
    compared("50 sandboxes at once, one process (the library's example)", times, 1, "s", 2)
    row("— peak memory", [mib([kib for _, kib in results["one"]]), "–", "–"])
    compared("50 × `run --rm … true` at once, 50 processes", results, 1, "s", 2)


def all_at_once(command, count):
    start = time.perf_counter()
    processes = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(count)
    ]
    errors = [process.communicate()[1] for process in processes]
    took = time.perf_counter() - start
    failed = [text for process, text in zip(processes, errors) if process.returncode != 0]
    if failed:
        raise Wrong(f"{command} × {count}: {len(failed)} failed: {failed[0].decode(errors='replace')}")
    return took


# ---- keystroke to echo ------------------------------------------------------


def echo():
    quiet([STOCKADE, "rm", "--force", NAME])
    quiet([STOCKADE, "run", "-dit", "--name", NAME, "--network", "none", IMAGE, "cat"], must=True)
    try:
        results = in_turns(5, {
            "stockade": lambda: typed_by([STOCKADE, "attach", NAME]),
            "remote": lambda: typed_by([*REMOTE, "attach", NAME]),
            "socket": typed_on_socket,
        })
    finally:
        quiet([STOCKADE, "rm", "--force", "--time", "0", NAME])
    for name in ("stockade", "remote", "socket"):
        delays = sorted(delay for turn in results[name] for delay in turn)
        results[name] = [quantile(delays, 0.5), quantile(delays, 0.99), len(delays)]
    for index, label in ((0, "p50"), (1, "p99")):
        ours, theirs, bare = (results[name][index] for name in ("stockade", "remote", "socket"))
        text = [f"{value * 1000:.3f} ms" for value in (ours, theirs, bare)]
        row(f"keystroke to echo, {label} (third: a bare socket)", text, [f"{ours / theirs:.2f}×", f"+{(ours - bare) * 1000:.3f} ms"])


def checkpoints():
    """Without Podman: a tree of 100 000 small files, beside git with an index and loose objects of its own."""
    area = f"{WORK}/checkpoints"
    tree, ours, theirs = f"{area}/tree", f"{area}/ours.git", f"{area}/theirs.git"
    # its tidying in the background would be beside whatever is measured next
    git = ["git", f"--git-dir={theirs}", f"--work-tree={tree}", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "gc.auto=0"]
    commit = ["sh", "-euc", '"$@" add -A; "$@" commit -qm x', "sh", *git]
    take = [CHECKPOINTS, "take", ours, tree]
    turns = iter(range(1_000_000))
    try:
        make_tree(tree)

        def first(command, directory):
            quiet(["rm", "-rf", directory], must=True)
            if directory == theirs:
                quiet(["git", "init", "-q", "--bare", directory], must=True)
                quiet(["git", f"--git-dir={directory}", "config", "core.bare", "false"], must=True)
            os.sync()
            return seconds(command)

        def changed(command, count):
            change_tree(tree, count, next(turns))
            os.sync()
            return seconds(command)

        def back(command, prepare):
            # what was taken last is what is gone back to
            prepare()
            change_tree(tree, 1000, next(turns))
            os.sync()
            return seconds(command())

        def number():
            names = os.listdir(f"{ours}/refs/checkpoints/example")
            return max(map(int, names))

        last = []
        beside_git("first checkpoint, 100 000 files (third: git add -A, git commit)", in_turns(3, {
            "stockade": lambda: first(take, ours),
            "git": lambda: first(commit, theirs),
        }, warm_up=0))
        beside_git("checkpoint, 10 files changed (third: git add -A, git commit)", in_turns(ROUNDS, {
            "stockade": lambda: changed(take, 10),
            "git": lambda: changed(commit, 10),
        }))
        beside_git("rollback of 1 000 files (third: git checkout)", in_turns(3, {
            "stockade": lambda: back(
                lambda: [CHECKPOINTS, "rollback", ours, tree, last[-1]],
                lambda: (quiet(take, must=True), last.append(str(number()))),
            ),
            "git": lambda: back(lambda: [*git, "checkout", "-f", "--", "."], lambda: quiet(commit)),
        }))
    finally:
        quiet(["rm", "-rf", area])


def night():
    """What an iteration takes whose agent does nothing, beside the same container's start to exit on bare sockets, and
    beside all that the service has to do for one: to prepare it and to clean up behind it, too."""
    sandbox = ["--network", "none", "--pull", "never", "--log-driver", "k8s-file"]
    task = ["--prompt", "x", "--completion-promise", "DONE", "--no-check", "--no-progress", "0"]
    area, name, many = f"{WORK}/night", "speed-night", 10
    parts = ["start to exit", "a whole life"]
    os.makedirs(f"{area}/workspace")
    os.environ["XDG_STATE_HOME"] = f"{area}/state"
    quiet([STOCKADE, "run", "--name", name, "--workdir", "/", *sandbox, IMAGE, "true"], must=True)

    def ralph(iterations):
        command = [STOCKADE, "ralph", *sandbox, "--image", IMAGE, *task, "--max-iterations", str(iterations), "--", "true"]
        # out of iterations, as it has to be
        return seconds(["sh", "-c", 'cd "$1"; shift; "$@"; [ $? = 11 ]', "sh", f"{area}/workspace", *command])

    def life(part):
        whole = time.perf_counter()
        attached = posted(f"{name}/attach?stream=true&stdout=true&stderr=true", " 101 ")
        start = time.perf_counter()
        posted(f"{name}/start", " 204 ").close()
        drain(attached.fileno())
        took = time.perf_counter() - start
        attached.close()
        posted(f"{name}/wait?condition=exited&interval=10ms", " 200 ").close()
        return took if part == "start to exit" else time.perf_counter() - whole

    try:
        results = in_turns(ROUNDS, {
            "stockade": lambda: (ralph(1 + many) - ralph(1)) / many,
            **{part: lambda part=part: statistics.median(life(part) for _ in range(many)) for part in parts},
        })
        for part in parts:
            more = statistics.median(a - b for a, b in zip(results["stockade"], results[part]))
            row(f"an iteration, agent `true` (third: {part} on bare sockets)",
                [spread(results["stockade"]), "–", spread(results[part])], ["–", f"{more * 1000:+.1f} ms"])
    finally:
        quiet([STOCKADE, "rm", "-f", name])
        quiet(["rm", "-rf", area])


def idle(rest=20):
    """What a supervisor takes whose agent is at work and says nothing."""
    area = f"{WORK}/idle"
    os.makedirs(f"{area}/workspace")
    os.environ["XDG_STATE_HOME"] = f"{area}/state"
    flags = ["-d", "--no-linger-check", "--allow-sleep", "--network", "none", "--pull", "never", "--log-driver", "k8s-file"]
    task = ["--prompt", "x", "--completion-promise", "DONE", "--no-check", "--image", IMAGE, "--", "sleep", "600"]
    begun = ["sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", f"{area}/workspace", STOCKADE, "ralph", *flags, *task]
    run = subprocess.run(begun, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout.strip()
    try:
        process = supervisor(run)
        # until it has nothing to do any more, and the threads that had have ended: their counts go with them
        time.sleep(15)
        before = counted(process, "ctxt_switches")
        time.sleep(rest)
        woken = counted(process, "ctxt_switches") - before
        row("a supervisor, its agent silent", [f"{mib([counted(process, 'VmHWM')])}, {woken} wake-ups in {rest} s", "–"])
    finally:
        quiet([STOCKADE, "stop", "--time", "0", run])
        quiet(["rm", "-rf", area])


def beside_git(what, results):
    row(what, [spread(results["stockade"]), "–", spread(results["git"])], ["–", ratio(results["stockade"], results["git"])])


def make_tree(directory):
    for number in range(100_000):
        below = f"{directory}/package-{number // 5000}/module-{number // 100}"
        if number % 100 == 0:
            os.makedirs(below)
        with open(f"{below}/file-{number % 100}", "w", encoding="ascii") as file:
            file.writelines(f"line {line} of {number * 7919 % 104729}\n" for line in range(number % 97))


def change_tree(directory, count, turn):
    for number in range(0, 100_000, 100_000 // count):
        with open(f"{directory}/package-{number // 5000}/module-{number // 100}/file-{number % 100}", "a", encoding="ascii") as file:
            file.write(f"turn {turn}\n")


def quantile(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def typed_by(command):
    """Keys typed into a client on a pseudo-terminal."""
    child, master = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    try:
        deadline = time.monotonic() + 30
        # The client has taken over when its terminal no longer echoes by itself.
        while termios.tcgetattr(master)[tty.LFLAG] & termios.ECHO:
            if time.monotonic() > deadline:
                raise Wrong(f"{command}: the terminal does not become raw")
            time.sleep(0.01)
        return type_keys(master)
    finally:
        # ctrl-p, ctrl-q: leaves the container running; podman sees them only one by one
        for key in (b"\x10", b"\x11"):
            os.write(master, key)
            time.sleep(0.1)
        drain(master)
        os.waitpid(child, 0)
        os.close(master)


def posted(path, wanted):
    """A connection on which this was asked of a container, up to the end of the answer's head."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(SOCKET)
    connection.sendall(
        f"POST /v5.0.0/libpod/containers/{path} HTTP/1.1\r\n"
        "Host: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    if wanted.encode() not in head.split(b"\r\n")[0]:
        raise Wrong(f"{path}: {head!r}")
    return connection


def typed_on_socket():
    """Keys written to the hijacked connection itself."""
    with posted(f"{NAME}/attach?stream=true&stdin=true&stdout=true&stderr=true", " 101 ") as connection:
        return type_keys(connection.fileno())


def type_keys(descriptor, keys=200):
    """Types one key after the other; how long each took to come back, in seconds."""
    settle(descriptor)
    delays = []
    for number in range(keys):
        start = time.perf_counter()
        os.write(descriptor, b"x")
        wait_readable(descriptor)
        data = os.read(descriptor, 4096)
        delays.append(time.perf_counter() - start)
        if data != b"x":
            raise Wrong(f"typed x, and {data!r} came back")
        time.sleep(0.002)
        if number % 50 == 49:
            # `cat` gets its line, and says it again
            os.write(descriptor, b"\r")
            settle(descriptor)
    return delays


def wait_readable(descriptor):
    if not select.select([descriptor], [], [], 10)[0]:
        raise Wrong("a key did not come back within 10 s")


def settle(descriptor):
    """Reads what still comes, until nothing has for a while."""
    while select.select([descriptor], [], [], 0.3)[0]:
        os.read(descriptor, 4096)


# ---- all of it --------------------------------------------------------------


def quiet(command, must=False):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if must and done.returncode != 0:
        raise Wrong(f"{command}: {done.stderr.decode(errors='replace')}")


SECTIONS = {part.__name__: part for part in (run, ps, echo, attach, parallel, build, checkpoints, night, idle)}


try:
    for section in sys.argv[1:] or SECTIONS:
        loads = os.getloadavg()
        SECTIONS[section]()
        print(f"load|{section}|{loads[0]:.1f}|{os.getloadavg()[0]:.1f}", flush=True)
except Wrong as wrong:
    sys.exit(f"speed: {wrong}")
