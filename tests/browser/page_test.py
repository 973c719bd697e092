"""The page in a real browser: Debian's Chromium, driven by playwright-core, which npm fetches into
the build folder by tests/browser/package-lock.json.

SYNCLINE_SCREENSHOT names a file for a picture of the page with a conflict."""

import json
import os
import shutil
import subprocess
import sys
import time

SOURCE = os.environ["SYNCLINE_SOURCE"]
FOLDER = os.path.join(SOURCE, "tests", "browser")
sys.path.insert(0, os.path.join(SOURCE, "tests", "interop"))
from cluster import Cluster, wait_converged

INSTALL_SECONDS = 120


def modules():
    """The folder that has playwright-core."""
    folder = os.path.join(os.getcwd(), "browser")
    os.makedirs(folder, exist_ok=True)
    lock = os.path.join(FOLDER, "package-lock.json")
    done = os.path.join(folder, "installed.json")
    with open(lock, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(done):
        with open(done, encoding="utf-8") as file:
            if file.read() == wanted:
                return folder
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(FOLDER, name), folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                   cwd=folder, timeout=INSTALL_SECONDS, check=True)
    shutil.copy(lock, done)
    return folder


class Browser:
    """The page of one replica; a context manager."""

    def __init__(self, url, folder):
        self.process = subprocess.Popen(
            ["node", os.path.join(FOLDER, "page.mjs"), url, folder, os.environ["CHROMIUM"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def do(self, name, **rest):
        """One command of page.mjs."""
        self.process.stdin.write(json.dumps({"name": name, **rest}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser ended"
        answer = json.loads(line)
        assert "error" not in answer, (name, rest, answer)
        return answer["value"]


def make_conflict(replicas):
    """Two replicas write one key while they do not see each other."""
    first, second = (replica.connect() for replica in replicas[:2])
    with first, second:
        for other in ("n2", "n3"):
            assert first.command("CRDT.LINK", other, "down") == "OK"
        first.command("SET", "cart:17", "<b>tea</b>, 2 cups")
        time.sleep(0.01)  # so that the second is the later one
        second.command("SET", "cart:17", "coffee")


def heal(replicas):
    with replicas[0].connect() as first:
        for other in ("n2", "n3"):
            assert first.command("CRDT.LINK", other, "up") == "OK"
    wait_converged(replicas, 30)


def look(browser, replicas, url):
    browser.do("open")
    browser.do("wait", selector="#status", text="ok")
    browser.do("wait", selector="#summary", text="2 of 2 peers connected")
    browser.do("wait", selector="#matrix tbody", text="has all")
    make_conflict(replicas)
    browser.do("wait", selector="#status", text="degraded")
    browser.do("wait", selector="#reasons", text="The link to n2 is cut.")
    browser.do("wait", selector="#reasons", text="The link to n3 is cut.")
    browser.do("wait", selector="#matrix td.lost", text="1 event")
    heal(replicas)
    browser.do("wait", selector="#status", text="ok")
    assert browser.do("count", selector="#reasons li") == 0
    browser.do("wait", selector="#recorded", text="1 conflict on record here.")
    browser.do("wait", selector="#conflicts .won", text="coffee")  # the later one
    browser.do("wait", selector="#conflicts .won", text="by n2")
    browser.do("wait", selector="#conflicts .side:not(.won)", text="<b>tea</b>, 2 cups")
    browser.do("wait", selector="#conflicts .side:not(.won)", text="by n1")
    browser.do("wait", selector="#conflicts", text="the larger timestamp wins")
    browser.do("click", selector="#conflicts button")
    browser.do("wait", selector="#answer .won", text="coffee")
    browser.do("wait", selector="#answer", text="concurrent writes: the last one wins")
    browser.do("wait", selector="#answer", text="<b>tea</b>, 2 cups")  # as text, not as bold
    browser.do("ask", key="no such")
    browser.do("wait", selector="#answer", text="There is no such key.")
    browser.do("ask", key="cart:17")
    browser.do("wait", selector="#answer .won", text="coffee")
    if picture := os.environ.get("SYNCLINE_SCREENSHOT"):
        browser.do("shoot", path=picture)
    assert browser.do("dark") == "rgb(20, 25, 27)"
    assert browser.do("resize", width=320) <= 0, "a narrow page scrolls sideways"
    foreign = [one for one in browser.do("requests") if not one.startswith(url)]
    assert not foreign, foreign
    assert browser.do("complaints") == []
    assert replicas[0].stop() == 0
    browser.do("wait", selector="#status", text="silent")


def main():
    """All of it on three replicas."""
    folder = modules()
    with Cluster(3) as cluster:
        url = f"http://127.0.0.1:{cluster.replicas[0].http_port()}/"
        with Browser(url, folder) as browser:
            look(browser, cluster.replicas, url)
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
