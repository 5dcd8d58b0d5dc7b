"""Real terminals for the tests: what is typed, what is seen, and how it ends.

Everything is waited for by reading the terminal; an alarm ends a test that waits for ever.
"""

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import sys
import termios

PYTHON = sys.executable
OTRACE = os.environ["OTRACE"]
RUN = [OTRACE, "run", "--intent", "i", "--setup", "s", "--expect-log", "x", "--offline"]

signal.alarm(60)


def python(script):
    """A command that is this Python script."""
    return [PYTHON, "-c", script]


def run(command, *options):
    """The command line of a run."""
    return [*RUN, *options, "--", *command]


def shell(script, **commands):
    """A shell that runs a script with job control; `{name}` in it is the command of that name."""
    commands = {name: shlex.join(command) for name, command in commands.items()}
    return ["/bin/sh", "-c", "set -m\n" + script.format(**commands)]


def set_size(terminal, lines, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, command, lines=24, columns=80, **files):
        """`files`: paths, by `stdout` or `stderr`, of what does not go to the terminal."""
        ready, go = os.pipe()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.close(go)
            os.read(ready, 1)
            # Whatever runs the tests may ignore them.
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            for name, path in files.items():
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(file, {"stdout": 1, "stderr": 2}[name])
            os.execv(command[0], command)
        os.close(ready)
        set_size(self.terminal, lines, columns)
        os.close(go)
        self.seen = b""

    def _read(self):
        try:
            return os.read(self.terminal, 65536)
        except OSError:
            return b""

    def until_bytes(self, wanted):
        """Waits for this; gives what was seen before it."""
        while wanted not in self.seen:
            more = self._read()
            assert more, f"{wanted} did not come after {self.seen}"
            self.seen += more
        before, self.seen = self.seen.split(wanted, 1)
        return before

    def until(self, text):
        """Waits for this text; gives what was seen before it."""
        return self.until_bytes(text.encode()).decode()

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    def resize(self, lines, columns):
        set_size(self.terminal, lines, columns)

    def press_until(self, key, text):
        """Presses a key again and again, as people do, until this is seen; gives what was seen before it."""
        while text.encode() not in self.seen:
            if not select.select([self.terminal], [], [], 0.1)[0]:
                self.type(key)
            elif more := self._read():
                self.seen += more
            else:
                break
        return self.until(text)

    def rest(self):
        """Waits for the end; gives what was seen until then."""
        while more := self._read():
            self.seen += more
        return self.seen.decode()

    def end(self):
        """Waits for the end; gives the exit code."""
        self.rest()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
