"""Scenarios by client and operation, and the table of what became of them."""

import json
import os
import subprocess
import time
import traceback
from contextlib import ExitStack
from pathlib import Path

RESULTS = Path(os.environ["RESULTS"])


class Failed(Exception):
    """Something is not as it must be."""


def expect(what, is_so, detail=""):
    if not is_so:
        raise Failed(f"{what} {detail}".rstrip())


class Log:
    """What a scenario did, in a file of its own."""

    def __init__(self, path):
        self.file = open(path, "w", buffering=1)
        self.start = time.monotonic()

    def line(self, text):
        print(f"{time.monotonic() - self.start:6.1f} {text}", file=self.file)

    def run(self, *words, ok=True, **how):
        """Runs a program to its end; gives what it printed.

        `ok` is whether it must end well; None if that does not matter.
        """
        done = self.done(*words, **how)
        if ok is not None:
            expect(f"`{words[0]}` must {'succeed' if ok else 'fail'}", (done.returncode == 0) == ok, done.stderr[-300:])
        return done.stdout

    def done(self, *words, stdin="", limit=60, **environment):
        """A program that has ended; it ran without a terminal, so that it asks for a PIN on its standard input."""
        words = [str(word) for word in words]
        self.line("$ " + " ".join(words))
        done = subprocess.run(
            words,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=limit,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        self.line(done.stdout + done.stderr + f"[{done.returncode}]")
        return done


class Scenarios:
    """The scenarios in the order in which they were added."""

    def __init__(self):
        self.table = {}
        self.results = []
        self.ends = ExitStack()

    def add(self, client, operation, play):
        """`play` gets a log; what it returns is a remark for the table."""
        self.table[client, operation] = play

    def at_end(self, close):
        """Has something that scenarios share closed after the last one."""
        self.ends.callback(close)

    def run(self, names):
        RESULTS.mkdir(parents=True, exist_ok=True)
        chosen = [key for key in self.table if not names or {key[0], "/".join(key)} & set(names)]
        if not chosen:
            print("no such scenario; there are:", *("/".join(key) for key in self.table), sep="\n  ")
            return 2
        with self.ends:
            for client, operation in chosen:
                self.play(client, operation)
        (RESULTS / "table.txt").write_text(table(self.results))
        return 0 if all(result["ok"] for result in self.results) else 1

    def play(self, client, operation):
        name = f"{client}/{operation}".replace(" ", "-")
        log = Log(RESULTS / (name.replace("/", ".") + ".log"))
        start = time.monotonic()
        remark, ok = "", True
        try:
            remark = self.table[client, operation](log) or ""
        except Exception as error:  # One client's trouble is no reason not to try the next.
            ok, remark = False, f"{type(error).__name__}: {error}"
            log.line(traceback.format_exc())
        seconds = round(time.monotonic() - start, 1)
        print(f"{'ok  ' if ok else 'FAIL'} {name:<44} {seconds:>6.1f} s  {remark}", flush=True)
        self.results.append(dict(client=client, operation=operation, ok=ok, seconds=seconds, remark=remark))
        # Written each time: what is known stays known if the guest ends.
        (RESULTS / "results.json").write_text(json.dumps(self.results, indent=1))


def table(results):
    """Operations down, clients across."""
    clients = list(dict.fromkeys(result["client"] for result in results))
    operations = list(dict.fromkeys(result["operation"] for result in results))
    cells = {(result["client"], result["operation"]): "ok" if result["ok"] else "FAIL" for result in results}
    width = max(map(len, operations))
    lines = [" " * width + "".join(f"  {client}" for client in clients)]
    for operation in operations:
        row = (f"  {cells.get((client, operation), '-'):<{len(client)}}" for client in clients)
        lines.append((f"{operation:<{width}}" + "".join(row)).rstrip())
    return "\n".join(lines) + "\n"
