"""The demonstration: a replay that ends as recorded, with a conflict told, and then its prompt."""

import os
import pty
import re
import select
import subprocess
import time

BINARY = os.environ["SYNCLINE_BINARY"]
SOURCE = os.environ["SYNCLINE_SOURCE"]
SECONDS = 180


class Terminal:
    """The demo on a terminal of its own; a context manager."""

    def __enter__(self):
        self.process, self.file = pty.fork()
        if self.process == 0:
            os.chdir(SOURCE)
            os.environ["NO_COLOR"] = "1"
            os.execv(BINARY, ["syncline", "demo"])
        self.output = ""
        return self

    def __exit__(self, *_):
        os.close(self.file)  # it hangs up: the demo's input ends
        deadline = time.monotonic() + SECONDS
        while os.waitpid(self.process, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.process, 9)
                os.waitpid(self.process, 0)
                break
            time.sleep(0.05)

    def until_prompt(self):
        """What comes before the next prompt."""
        deadline = time.monotonic() + SECONDS
        while "demo> " not in self.output:
            assert time.monotonic() < deadline, self.output[-2000:]
            if select.select([self.file], [], [], 1)[0]:
                self.output += os.read(self.file, 65536).decode(errors="replace")
        before, self.output = self.output.split("demo> ", 1)
        return before

    def ask(self, line):
        """What a line is answered."""
        os.write(self.file, (line + "\n").encode())
        return self.until_prompt()

    def ask_until(self, line, wanted):
        """Asks again until the answer has it."""
        deadline = time.monotonic() + SECONDS
        while wanted not in (answer := self.ask(line)):
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)
        return answer


def check_report(text):
    """What the replay ends with."""
    assert "replicas equal: yes" in text, text
    assert "final state equal to the recorded one: yes, 464 keys" in text, text
    told = text[text.index("One of the conflicts, asked for when the links came back"):]
    assert re.search(r"\$ syncline inspect key \S+ --connect 127\.0\.0\.1:\d+,", told), told
    assert "beside" in told and "seen" in told and "concurrent writes" in told, told
    assert re.search(r"page of replica a.*: http://127\.0\.0\.1:\d+/", told), told


def script():
    """As in a script: it ends by itself."""
    done = subprocess.run([BINARY, "demo", "--script"], cwd=SOURCE, capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check_report(done.stdout)


def prompt():
    """On a terminal the replicas stay up."""
    with Terminal() as demo:
        check_report(demo.until_prompt())
        assert "3 nodes agree" in demo.ask("status")
        demo.ask("partition c")
        demo.ask("a SET fought 1")
        time.sleep(0.05)  # within one millisecond the larger actor would win, whichever that is
        demo.ask("c SET fought 2")
        answer = demo.ask_until("status", "The link to c is cut.")
        assert "events are on their way" in answer and "degraded" in answer, answer
        demo.ask("heal")
        demo.ask_until("status", "3 nodes agree")
        answer = demo.ask("conflicts")
        assert '"fought"  write-write' in answer and "on record at a, b, c" in answer, answer
        answer = demo.ask("explain fought")
        assert re.search(r'beside +"1" +by a', answer), answer
        assert re.search(r'seen +"2" +by c', answer), answer
        assert "not understood" in demo.ask("nonsense")
        assert "b|c COMMAND" in demo.ask("help")


if __name__ == "__main__":
    script()
    prompt()
    print("ok")
