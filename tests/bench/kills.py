"""kills.py: kill -9 at every event of a run's journal, each in a run of its own: the end is always the same.

strace kills on entering the Nth fdatasync(2), which is what follows the writing of each event (and of each prompt): the
event is there, and nothing that comes after it. First the client is killed at each of its own, then the supervisor of a
run that its client has left at the last of them; then the supervisor at each fsync(2), which are those of checkpoints.

KILLS_STOCKADE, KILLS_WORK, KILLS_IMAGE; CONTAINER_HOST, HOME as for stockade.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

STOCKADE, IMAGE = os.environ["KILLS_STOCKADE"], os.environ["KILLS_IMAGE"]
WORK = pathlib.Path(os.environ["KILLS_WORK"])
AGENT = """n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count; echo life $n; echo $n >work
[ $n != 2 ] || echo '<promise>COMPLETE</promise>'
"""
RALPH = ["ralph", "-d", "--allow-unenforced-limits", "--network", "none", "--image", IMAGE, "--prompt", "Work", "--completion-promise",
         "COMPLETE", "--check", "grep -q 2 work", "--", "sh", "agent.sh"]
# more than a run of two iterations has
MOST = 60


class Case:
    """A workspace and a state directory of its own."""

    def __init__(self, name):
        self.area = WORK / name
        shutil.rmtree(self.area, ignore_errors=True)
        self.work = self.area / "work"
        self.work.mkdir(parents=True)
        (self.work / "agent.sh").write_text(AGENT)
        self.env = dict(os.environ, XDG_STATE_HOME=str(self.area / "state"))

    def stockade(self, *words, kill=None, call="fdatasync"):
        """Runs it; killed at its Nth such call, or that of what it starts."""
        trace = self.area / "trace"
        command = [STOCKADE, *words]
        if kill:
            inject = f"inject={call}:signal=KILL:when={kill}"
            command = ["strace", "-f", "-o", str(trace), "-e", f"trace={call}", "-e", inject, *command]
        done = subprocess.run(command, cwd=self.work, env=self.env, capture_output=True, text=True, timeout=300, check=False)
        self.killed = bool(kill) and "+++ killed by SIGKILL" in trace.read_text()
        return done

    def run(self):
        runs = list((self.area / "state/stockade/runs").glob("2*"))
        return runs[0] if runs else None

    def events(self):
        journal = self.run() and self.run() / "journal.jsonl"
        if not journal or not journal.exists():
            return []
        whole = [line for line in journal.read_text().split("\n")[:-1]]
        return [json.loads(line) for line in whole]

    def check(self, done):
        """It has ended as it would have without any kill."""
        events = self.events()
        names = [event["event"] for event in events]

        def must(is_so, what):
            if not is_so:
                print(*map(json.dumps, events), done.stdout, done.stderr, sep="\n")
                sys.exit(f"{self.area.name}: {what}")

        must(done.returncode == 0, f"exit code {done.returncode}")
        must("verified" in events[-1].get("verdict", {}), "it is not verified")
        must(names.count("ended") == 2, "iterations are lost or doubled")
        must((self.work / "count").read_text() == "2\n", "lives are lost or doubled")
        must([e["changed"] for e in events if e["event"] == "checkpoint"][1:] == [2, 2], "what changed is lost")
        left = self.stockade("ps", "-aq")
        must(left.returncode == 0 and not left.stdout, "a container is left")
        report = self.stockade("report")
        must(report.returncode == 0, "the journal cannot be read")
        shutil.rmtree(self.area)


def resumed(case):
    """Until somebody has it in hand: one that was killed may have it for a moment more."""
    for _ in range(50):
        done = case.stockade("resume")
        if "somebody" not in done.stderr and "in hand" not in done.stderr:
            return done
    return done


def clients():
    """Kills the client at each of its events. How many there are, and those that leave a run to take up."""
    last = None
    for number in range(1, MOST):
        case = Case(f"client-{number}")
        case.stockade(*RALPH, kill=number)
        if not case.killed:
            sys.exit(f"the client was not killed at its fdatasync {number}")
        names = [event["event"] for event in case.events()]
        if "begun" in names or "awake" in names:
            # this was the supervisor's
            case.check(resumed(case))
            return last
        if "created" in names:
            case.check(resumed(case))
            last = number
        else:
            done = case.stockade("resume", "--all")
            if done.returncode or case.run() or case.stockade("ps", "-aq").stdout:
                sys.exit(f"client-{number}: a run that never began is left: {done.stdout}{done.stderr}")
            shutil.rmtree(case.area)
        print(f"client killed at {number} ({names[-1] if names else 'nothing'}): ok", flush=True)
    sys.exit("the client has no end")


def supervisors(left, call):
    """Kills the supervisor at each such call of a run that was left by a client killed at its own."""
    for number in range(1, MOST):
        case = Case(f"supervisor-{call}-{number}")
        case.stockade(*RALPH, kill=left)
        if [event["event"] for event in case.events()][-1:] != ["created"]:
            sys.exit("the client was not killed where it was before")
        case.stockade("resume", kill=number, call=call)
        names = [event["event"] for event in case.events()]
        at = f"{len(names)} events, {names[-1]}"
        killed = case.killed
        case.check(resumed(case))
        if not killed:
            print(f"it has {number - 1} of {call}", flush=True)
            return
        print(f"supervisor killed at {call} {number} ({at}): ok", flush=True)
    sys.exit("the supervisor has no end")


left = clients()
supervisors(left, "fdatasync")
supervisors(left, "fsync")
