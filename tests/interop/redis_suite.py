"""Runs Redis 7.0.15's own unit tests against the binary named by SYNCLINE_BINARY, and beside it
against redis-server, whose passes are what can be passed. The tests come from Debian's source
package (BSD licence), fetched with a list of sources of its own; nothing of them is kept here.

    redis_suite.py                     all files of FILES; the failures, and the share that passes
    redis_suite.py unit/type/list ...  only these
    redis_suite.py --suite DIR ...     with an unpacked source tree instead of fetching one

What fails must stand in redis_suite_exceptions.txt with its reason, or the exit code is 1."""

import argparse
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile

import cluster

VERSION = "7.0.15"
# Those that a server can be given from outside, in the suite's own external mode.
FILES = ["unit/type/string", "unit/type/incr", "unit/type/list", "unit/type/list-2",
         "unit/type/list-3", "unit/type/set", "unit/type/zset", "unit/type/hash", "unit/expire",
         "unit/scan", "unit/keyspace", "unit/multi", "unit/protocol", "unit/pubsub",
         "unit/pubsubshard", "unit/sort", "unit/bitops", "unit/bitfield", "unit/dump",
         "unit/quit", "unit/slowlog", "unit/introspection", "unit/introspection-2",
         "unit/info-command", "unit/other", "unit/networking", "unit/querybuf", "unit/limits",
         "unit/wait", "unit/lazyfree"]
DENIED = ("-needs:debug -needs:repl -needs:save -needs:pfdebug -needs:config-maxmemory "
          "-needs:config-resetstat -needs:reset -slow -large-memory -cluster:skip -logreqres:skip")
FILE_SECONDS = 120
EXCEPTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "redis_suite_exceptions.txt")


def fetch(directory):
    """Downloads and unpacks the source package; the directory it is in. Nothing of the system's
    own lists is changed."""
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(directory, name))
    sources = os.path.join(directory, "sources.list")
    with open(sources, "w", encoding="ascii") as file:
        file.write("deb-src http://deb.debian.org/debian bookworm main\n")
    settings = os.path.join(directory, "apt.conf")
    with open(settings, "w", encoding="ascii") as file:
        file.write(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n'
                   f'Dir::State::lists "{directory}/lists";\nDir::Cache "{directory}/cache";\n'
                   'APT::Sandbox::User "root";\nAcquire::Retries "3";\n')
    environment = dict(os.environ, APT_CONFIG=settings)
    for command in (["apt-get", "-q", "update"],
                    ["apt-get", "-q", "source", "--download-only", "redis"]):
        subprocess.run(command, cwd=directory, env=environment, check=True,
                       stdout=subprocess.DEVNULL)
    archive, = glob.glob(os.path.join(directory, f"redis_{VERSION}*.orig.tar.gz"))
    subprocess.run(["tar", "xzf", archive], cwd=directory, check=True)
    return os.path.join(directory, f"redis-{VERSION}")


class RedisServer:
    """A redis-server with the settings that the suite gives its own."""

    def __init__(self, directory):
        self.port, = cluster.free_ports(1)
        with open(os.path.join(directory, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--save", "", "--dir", directory,
                 "--enable-debug-command", "no"], stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class SynclineServer:
    """One replica."""

    def __init__(self, directory):
        self.cluster = cluster.Cluster(1, ["--log-level", "error", *SYNCLINE_OPTIONS])
        self.port = None
        del directory

    def __enter__(self):
        self.cluster.__enter__()
        self.port = self.cluster.replicas[0].port
        return self

    def __exit__(self, *what):
        self.cluster.__exit__(*what)


SYNCLINE_OPTIONS = []


def run_file(suite, name, server):
    """The outcome of each test of a file, by its name: ok, err or exception; and the output."""
    command = ["./runtest", "--host", "127.0.0.1", "--port", str(server.port), "--single", name,
               "--singledb", "--ignore-encoding", "--ignore-digest", "--durable", "--clients", "1",
               "--tags", DENIED]
    # The suite runs processes of its own, which must not outlive it.
    with subprocess.Popen(command, cwd=suite, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            output = process.communicate(timeout=FILE_SECONDS)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output = process.communicate()[0].decode(errors="replace") + "\n[timeout]\n"
    output = re.sub(r"\x1b\[[0-9;]*m", "", output)
    outcomes = {}
    for line in output.splitlines():
        found = re.match(r"\[(ok|err|exception)\]:? (.*?)(?: \(\d+ ms\))?$", line)
        if found:
            test = re.sub(r" in tests/unit/.*$", "", found.group(2))
            outcomes[test] = found.group(1)
    return outcomes, output


def read_exceptions():
    """The tests that may fail, with their reasons: lines `file | test | reason`."""
    exceptions = {}
    if os.path.exists(EXCEPTIONS):
        with open(EXCEPTIONS, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    name, test, reason = line.rstrip("\n").split(" | ")
                    exceptions[name, test] = reason
    return exceptions


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=FILES)
    parser.add_argument("--suite", help="an unpacked source tree of Redis " + VERSION)
    parser.add_argument("--verbose", action="store_true", help="the output of files with failures")
    arguments = parser.parse_args()
    exceptions = read_exceptions()
    passed = applicable = 0
    unexplained = []
    with tempfile.TemporaryDirectory(prefix="syncline-suite-") as directory:
        suite = arguments.suite or fetch(directory)
        for name in arguments.files:
            with RedisServer(directory) as server:
                reference, _ = run_file(suite, name, server)
            with SynclineServer(directory) as server:
                outcomes, output = run_file(suite, name, server)
            wanted = sorted(test for test, outcome in reference.items() if outcome == "ok")
            failed = [test for test in wanted if outcomes.get(test) != "ok"]
            applicable += len(wanted)
            passed += len(wanted) - len(failed)
            print(f"{name}: {len(wanted) - len(failed)} of {len(wanted)}", flush=True)
            for test in failed:
                reason = exceptions.get((name, test))
                print(f"    {outcomes.get(test, 'not run')}: {test}" +
                      (f"  ({reason})" if reason else ""), flush=True)
                if reason is None:
                    unexplained.append((name, test))
            if failed and arguments.verbose:
                print(output)
    share = 100 * passed / max(applicable, 1)
    print(f"{passed} of {applicable} tests that redis-server {VERSION} passes: {share:.1f} %")
    if unexplained:
        print(f"{len(unexplained)} failures without a reason in redis_suite_exceptions.txt")
    return 1 if unexplained or applicable == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
