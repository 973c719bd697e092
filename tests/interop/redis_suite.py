"""Runs Redis 7.0.15's own unit tests against the binary named by SYNCLINE_BINARY, and beside it
against redis-server, whose passes are what can be passed. The tests come from Debian's source
package (BSD licence), fetched with a list of sources of its own; nothing of them is kept here.

    redis_suite.py                     all of FILES and OWN_FILES; failures, the share that passes
    redis_suite.py unit/type/list ...  only these
    redis_suite.py --suite DIR ...     with an unpacked source tree instead of fetching one
    redis_suite.py --alone ...         without redis-server beside it, which takes half the time
    redis_suite.py --some              those that take a few seconds, and alone

What fails must stand in redis_suite_exceptions.txt with its reason, or the exit code is 1. Tests
whose reason begins with "out of scope" are not run and do not count, those with "hangs" are not run
and count as failed. Exit code 77: the tests cannot be fetched, or
there is no tclsh."""

import argparse
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cluster

VERSION = "7.0.15"
# Those that a server can be given from outside, in the suite's own external mode.
FILES = ["unit/type/string", "unit/type/incr", "unit/type/list", "unit/type/list-3",
         "unit/type/set", "unit/type/zset", "unit/type/hash", "unit/expire", "unit/scan",
         "unit/keyspace", "unit/multi", "unit/protocol", "unit/pubsub", "unit/sort",
         "unit/bitops", "unit/bitfield", "unit/dump", "unit/quit", "unit/slowlog",
         "unit/introspection", "unit/introspection-2", "unit/info-command", "unit/other",
         "unit/lazyfree"]
# Those that start servers with settings of their own.
OWN_FILES = ["unit/auth", "unit/acl", "unit/acl-v2"]
SOME = ["unit/type/incr", "unit/type/list", "unit/keyspace", "unit/multi", "unit/protocol",
        "unit/bitops", "unit/bitfield", "unit/dump", "unit/quit", "unit/slowlog",
        "unit/introspection", "unit/info-command", "unit/other", "unit/auth"]
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


class SynclineServer:
    """One replica."""

    def __init__(self):
        self.cluster = cluster.Cluster(1, ["--log-level", "error"])
        self.port = None

    def __enter__(self):
        self.cluster.__enter__()
        self.port = self.cluster.replicas[0].port
        return self

    def __exit__(self, *what):
        self.cluster.__exit__(*what)


class OwnServers:
    """The suite with another redis-server, for tests that start servers themselves."""

    def __init__(self, suite, directory, program):
        self.directory = os.path.join(directory, "suite")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(os.path.join(self.directory, "src"))
        shutil.copytree(os.path.join(suite, "tests"), os.path.join(self.directory, "tests"),
                        ignore=shutil.ignore_patterns("tmp"))
        os.makedirs(os.path.join(self.directory, "tests", "tmp"))
        shutil.copy(os.path.join(suite, "runtest"), self.directory)
        script = os.path.join(self.directory, "src", "redis-server")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {program} "$@"\n')
        os.chmod(script, 0o755)


def run_own_file(suite, name, directory, skipped, alone):
    """As run_file(), of one that starts servers itself: those of redis-server, and ours."""
    stand_in = os.path.join(os.path.dirname(os.path.abspath(__file__)), "redis_suite_server.py")
    outcomes = []
    for program in (f"{sys.executable} -B {stand_in}", "redis-server"):
        if alone and outcomes:
            break
        servers = OwnServers(suite, directory, program)
        outcomes.append(run_tests(servers.directory, name, [], skipped))
    return outcomes[-1][0], *outcomes[0]


def run_file(suite, name, server, skipped):
    """The outcome of each test of a file, by its name: ok, err or exception; and the output."""
    return run_tests(suite, name, ["--host", "127.0.0.1", "--port", str(server.port)], skipped)


def run_tests(suite, name, options, skipped):
    """As above, with these options of the suite."""
    command = ["./runtest", *options, "--single", name,
               "--singledb", "--ignore-encoding", "--ignore-digest", "--durable", "--clients", "1",
               "--tags", DENIED]
    for test in skipped:
        command += ["--skiptest", test]
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
    """The tests of each file that may fail, with their reasons: lines `file | test | reason`."""
    exceptions = {}
    if os.path.exists(EXCEPTIONS):
        with open(EXCEPTIONS, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    name, test, reason = line.rstrip("\n").split(" | ")
                    exceptions.setdefault(name, {})[test] = reason
    return exceptions


def begins(exceptions, word):
    """The tests whose reasons begin so."""
    return [test for test, reason in exceptions.items() if reason.startswith(word)]


class Tally:
    """The outcomes of all files."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.passed = self.applicable = 0
        self.unexplained = []

    def add(self, name, wanted, outcomes, seconds):
        """One file: the tests that must be ok, and what became of them. Whether any is not."""
        failed = [test for test in wanted if outcomes.get(test) != "ok"]
        self.applicable += len(wanted)
        self.passed += len(wanted) - len(failed)
        print(f"{name}: {len(wanted) - len(failed)} of {len(wanted)}, {seconds:.0f} s", flush=True)
        for test in failed:
            reason = self.exceptions.get(name, {}).get(test)
            print(f"    {outcomes.get(test, 'not run')}: {test}" +
                  (f"  ({reason})" if reason else ""), flush=True)
            if reason is None:
                self.unexplained.append((name, test))
        return bool(failed)


def run(suite, directory, arguments):
    """The exit code."""
    exceptions = read_exceptions()
    tally = Tally(exceptions)
    for name in arguments.files:
        reasons = exceptions.get(name, {})
        hangs = begins(reasons, "hangs")
        skipped = begins(reasons, "out of scope") + hangs
        start = time.monotonic()
        if name in OWN_FILES:
            wanted, outcomes, output = run_own_file(suite, name, directory, skipped,
                                                    arguments.alone)
        else:
            with SynclineServer() as server:
                outcomes, output = run_file(suite, name, server, skipped)
            wanted = outcomes
            if not arguments.alone:
                with cluster.RedisServer(directory, "--enable-debug-command", "no") as server:
                    wanted, _ = run_file(suite, name, server, skipped)
        seconds = time.monotonic() - start
        wanted = [test for test, outcome in wanted.items()
                  if arguments.alone or outcome == "ok"]
        if not wanted:
            tally.unexplained.append((name, "no test ran"))
        if tally.add(name, sorted({*wanted, *hangs}), outcomes, seconds) and arguments.verbose:
            print(output)
    share = 100 * tally.passed / max(tally.applicable, 1)
    print(f"{tally.passed} of {tally.applicable} tests of Redis {VERSION}: {share:.1f} %; "
          f"{sum(len(begins(each, 'out of scope')) for each in exceptions.values())} are out of "
          "scope")
    if tally.unexplained:
        print(f"{len(tally.unexplained)} failures without a reason in redis_suite_exceptions.txt")
    return 1 if tally.unexplained or tally.applicable == 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=FILES + OWN_FILES)
    parser.add_argument("--suite", help="an unpacked source tree of Redis " + VERSION)
    parser.add_argument("--alone", action="store_true", help="no redis-server beside it")
    parser.add_argument("--some", action="store_true", help="a few short files, alone")
    parser.add_argument("--verbose", action="store_true", help="the output of files with failures")
    arguments = parser.parse_args()
    if arguments.some:
        arguments.files, arguments.alone = SOME, True
    if shutil.which("tclsh") is None:
        print("skipped: there is no tclsh")
        return 77
    with tempfile.TemporaryDirectory(prefix="syncline-suite-") as directory:
        try:
            suite = arguments.suite or fetch(directory)
        except subprocess.CalledProcessError as error:
            print(f"skipped: the tests cannot be fetched: {error}")
            return 77
        return run(suite, directory, arguments)


if __name__ == "__main__":
    sys.exit(main())
