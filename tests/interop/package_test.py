"""The installed package: programs outside the tree are built against it, with CMake and with
pkg-config, and run: alone, as two processes that sync, with a server, and killed at any moment."""

import contextlib
import os
import random
import re
import subprocess
import tempfile
import unittest

from cluster import Replica, free_ports, write_secret

BUILD = os.path.dirname(os.environ["SYNCLINE_BINARY"])
EXAMPLES = os.path.join(os.environ["SYNCLINE_SOURCE"], "bindings", "examples")
SECONDS = 120


def run(*command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class PackageTest(unittest.TestCase):
    """One installation and one build of the examples for all tests."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="syncline-package-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.prefix = os.path.join(cls.scratch.name, "prefix")
        cls.built = os.path.join(cls.scratch.name, "examples")
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        run("cmake", "-S", EXAMPLES, "-B", cls.built, f"-DCMAKE_PREFIX_PATH={cls.prefix}",
            "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")
        run("cmake", "--build", cls.built)
        cls.secret = write_secret(cls.scratch.name)

    def directory(self):
        """A new data directory's path."""
        return os.path.join(tempfile.mkdtemp(dir=self.scratch.name), "data")

    @contextlib.contextmanager
    def sync(self, data, listen, peer, adds, total):
        """The example program, running; killed at the end if it still is."""
        with subprocess.Popen(
                [os.path.join(self.built, "sync"), data, listen, peer, self.secret, str(adds),
                 str(total)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def wait_total(self, process):
        """The sum that a process says at its end."""
        for line in process.stdout:
            if line.startswith("total "):
                return int(line.split()[1])
        self.fail(f"it ended with {process.wait(SECONDS)} and without a total")
        return None

    def check_embedded(self, program):
        """Runs the first example twice on one directory."""
        data = self.directory()
        first = run(program, data)
        self.assertIn("visit 1\n", first)
        self.assertIn("changed: team\n", first)
        self.assertIn("member: ann\n", first)
        self.assertIn('error: key "visits": the key holds a string\n', first)
        self.assertIn("visit 2\n", run(program, data))

    def test_cmake(self):
        """find_package(syncline CONFIG) and syncline::syncline."""
        self.check_embedded(os.path.join(self.built, "embedded"))

    def test_pkg_config(self):
        """The flags of pkg-config are all that a compiler needs."""
        folder = next(path for path, _, files in os.walk(self.prefix) if "syncline.pc" in files)
        flags = run("pkg-config", "--cflags", "--libs", "syncline",
                    env={**os.environ, "PKG_CONFIG_PATH": folder}).split()
        program = os.path.join(self.scratch.name, "with_pkg_config")
        run("g++", "-std=c++20", "-Wall", "-Wextra", "-Werror",
            os.path.join(EXAMPLES, "embedded.cpp"), "-o", program, *flags)
        self.check_embedded(program)

    def test_public_headers_stand_alone(self):
        """Each installed header compiles with nothing but the include folder."""
        include = os.path.join(self.prefix, "include")
        headers = [os.path.relpath(os.path.join(path, name), include)
                   for path, _, files in os.walk(include) for name in files]
        self.assertIn("syncline/core/database.hpp", headers)
        source = "".join(f"#include <{header}>\n" for header in sorted(headers))
        run("g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", include,
            "-x", "c++", "-", input=source)

    def test_two_processes(self):
        """Both add, both end with the sum."""
        port = free_ports(1)[0]
        address = f"127.0.0.1:{port}"
        with self.sync(self.directory(), address, "-", 50, 80) as one, \
                self.sync(self.directory(), "-", address, 30, 80) as other:
            self.assertEqual(self.wait_total(one), 80)
            self.assertEqual(self.wait_total(other), 80)
            for process in (one, other):
                process.stdin.close()
                self.assertEqual(process.wait(SECONDS), 0)

    def test_with_a_server(self):
        """A server and an embedded database are peers like any; the first founds nothing, because
        the data directory was made by a program of the cluster "example"."""
        data = self.directory()
        with self.sync(data, "-", "-", 1, 1) as process:
            self.wait_total(process)
            process.stdin.close()
            self.assertEqual(process.wait(SECONDS), 0)
        client_port, peer_port = free_ports(2)
        server = Replica("data", os.path.dirname(data),
                         ["--peer-port", str(peer_port), "--peer-secret-file", self.secret],
                         client_port)
        server.start()
        try:
            server.wait_ready()
            with server.connect() as connection:
                self.assertEqual(connection.command("INCRBY", "visits", "4"), 5)
            with self.sync(self.directory(), "-", f"127.0.0.1:{peer_port}", 10, 15) as process:
                self.assertEqual(self.wait_total(process), 15)
                with server.connect() as connection:
                    self.assertEqual(int(connection.command("GET", "visits")), 15)
                process.stdin.close()
                self.assertEqual(process.wait(SECONDS), 0)
            self.assertEqual(server.stop(), 0)
        finally:
            server.process.kill()
            server.process.wait()

    def test_killed_at_any_moment(self):
        """What was acknowledged is there after kill -9, and nothing that was not asked for."""
        seed = int(os.environ.get("SYNCLINE_SEED", random.randrange(2**32)))
        print("seed", seed)
        chance = random.Random(seed)
        data = self.directory()
        lower = upper = 0
        for _ in range(15):
            with self.sync(data, "-", "-", 10**9, 10**9) as process:
                stop_at = chance.randrange(1, 60)
                added = 0
                while added < stop_at:
                    added = int(re.match(r"added (\d+)", process.stdout.readline())[1])
                process.kill()
                acknowledged = max([added] + [int(line.split()[1])
                                              for line in process.stdout if line.endswith("\n")])
            with self.sync(data, "-", "-", 0, 0) as process:
                visits = self.wait_total(process)
            lower += acknowledged
            upper += acknowledged + 1  # the one under way may have become durable, or not
            self.assertGreaterEqual(visits, lower)
            self.assertLessEqual(visits, upper)
            lower = upper = visits


if __name__ == "__main__":
    unittest.main()
