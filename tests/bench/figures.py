"""For speed.py: rows of what was measured, `row|what|figure|...`, and what the kernel counts of a process."""

import os
import statistics


class Wrong(Exception):
    """What was measured did not do what it should have done."""


def row(what, figures, ratios=()):
    """`figures`: texts by column; `ratios`: texts."""
    print("|".join(["row", what, *figures, *ratios]), flush=True)


def spread(values, scale=1000, unit="ms", digits=1):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle * scale:.{digits}f} {unit} ({low * scale:.{digits}f}–{high * scale:.{digits}f})"


def ratio(ours, theirs):
    """The median of the ratios of one turn each."""
    return f"{statistics.median(a / b for a, b in zip(ours, theirs)):.2f}×"


def mib(kib):
    return f"{max(kib) / 1024:.1f} MiB"


def compared(what, results, scale=1000, unit="ms", digits=1):
    """A row of times: ours, podman --remote's, podman's, and the ratios to both."""
    ours, remote, local = (results.get(key) for key in ("stockade", "remote", "podman"))
    figures = [spread(values, scale, unit, digits) if values else "–" for values in (ours, remote, local)]
    ratios = [ratio(ours, values) if values else "–" for values in (remote, local)]
    row(what, figures, ratios)


def supervisor(run):
    """Whose process has this run in hand."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if run and (b"supervise", run.encode()) in zip(words, words[1:]):
            return process
    raise Wrong(f"nobody has the run {run!r} in hand")


def counted(process, name):
    """The sum of the numbers of that name, over the process's threads."""
    numbers, threads = [], f"/proc/{process}/task"
    for thread in os.listdir(threads):
        with open(f"{threads}/{thread}/status", encoding="ascii", errors="replace") as file:
            numbers += [int(line.split()[1]) for line in file if name in line.split(":")[0]]
    return max(numbers) if name.startswith("Vm") else sum(numbers)
