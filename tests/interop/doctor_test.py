"""syncline doctor: verdicts about a replica that runs and about a directory, and a bundle in which
nothing of what the test wrote can be found."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

import cluster

BINARY = os.environ["SYNCLINE_BINARY"]
# Of everything that must stay here: keys, fields, values, names, patterns, passwords.
HIDDEN = "zq7hidden"
CODES = {"ok": 0, "warning": 4, "problem": 1}


def doctor(*arguments, stdin=b"", env=None):
    """Exit code, report as JSON, standard error."""
    done = subprocess.run([BINARY, "doctor", "--json", *map(str, arguments)], capture_output=True,
                          timeout=60, check=False, input=stdin, env={**os.environ, **(env or {})})
    report = json.loads(done.stdout) if done.stdout else None
    return done.returncode, report, done.stderr.decode()


def verdicts(report):
    """What was looked at -> verdict."""
    return {check["about"]: check["verdict"] for check in report["checks"]}


def worst(report):
    """The exit code that belongs to the report."""
    seen = {check["verdict"] for check in report["checks"]}
    return CODES["problem" if "problem" in seen else "warning" if "warning" in seen else "ok"]


class Doctor(unittest.TestCase):
    """One replica, which many things were written to."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(cluster.Cluster(2, [
            "--policy", f"{HIDDEN}-prefix=remove-wins"]))
        cls.replica = cls.cluster.replicas[0]
        cls.wait_health()
        cls.to = f"127.0.0.1:{cls.replica.port}"
        cls.data = os.path.join(cls.cluster.directory, cls.replica.name)
        cls.directory = tempfile.mkdtemp(prefix="syncline-doctor-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        with cls.replica.connect() as connection:
            for command in (
                    ("CONFIG", "SET", "slowlog-log-slower-than", "0"),
                    ("CONFIG", "SET", "latency-monitor-threshold", "1"),
                    ("CLIENT", "SETNAME", f"{HIDDEN}-client"),
                    ("SET", f"{HIDDEN}-key", f"{HIDDEN}-value"),
                    ("HSET", f"{HIDDEN}-hash", f"{HIDDEN}-field", f"{HIDDEN}-value"),
                    ("EVALUATE", f"{HIDDEN}-nonsense"), (f"{HIDDEN}-command",),
                    ("INCR", f"{HIDDEN}-key"), ("AUTH", f"{HIDDEN}-password"),
                    ("CONFIG", "GET", f"{HIDDEN}*"), ("SUBSCRIBE", f"{HIDDEN}-channel")):
                try:
                    connection.command(*command)
                except cluster.ReplyError:
                    pass  # what is refused must not be told either
        cls.secret = os.path.join(cls.cluster.directory, "secret")
        with open(cls.secret, encoding="ascii") as file:
            cls.secret_text = file.read()

    @classmethod
    def wait_health(cls):
        """Until the replicas have met."""
        deadline = time.monotonic() + 30
        while True:
            with cls.replica.connect() as connection:
                health = connection.command("CRDT.HEALTH")
            if health[1] == b"ok":
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"not well: {health}")
            time.sleep(0.05)

    def assert_clean(self, texts):
        """Nothing of the test is in there, nor the secret of the peers."""
        for name, text in texts.items():
            self.assertNotIn(HIDDEN, text, name)
            self.assertNotIn(self.secret_text, text, name)

    def read_bundle(self, path):
        """Name -> text; all for their owner only."""
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        texts = {}
        for name in os.listdir(path):
            with open(os.path.join(path, name), encoding="utf-8") as file:
                self.assertEqual(stat.S_IMODE(os.fstat(file.fileno()).st_mode), 0o600)
                texts[name] = file.read()
        return texts

    def config(self, *more):
        """A file of settings."""
        path = os.path.join(self.directory, "syncline.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join([f"port = {self.replica.port}", f"data = '{self.data}'",
                                  f"peer-secret-file = '{self.secret}'",
                                  f"policy = ['{HIDDEN}-prefix=remove-wins']", *more]))
        return path

    def test_a_replica_that_runs(self):
        path = os.path.join(self.directory, "running")
        with open(self.replica.log_path, "ab") as log:  # as of a key that is too large to end
            log.write(f"2026-11-30T12:00:00.000Z warning n1 expiry.too_large key={HIDDEN}\n"
                      f"2026-11-30T12:00:00.000Z error n1 x.y reason=\"no '{HIDDEN}' here\"\n"
                      f"whatever {HIDDEN}\n".encode())
        code, report, errors = doctor("--config", self.config(), "--log", self.replica.log_path,
                                      "--output", path,
                                      env={"SYNCLINE_PASSWORD": f"{HIDDEN}-password"})
        self.assertEqual(code, worst(report))
        seen = verdicts(report)
        for about in ("server", "health", "damage", "data directory", "settings", "version"):
            self.assertEqual(seen.get(about, "ok"), "ok", report)
        self.assertEqual(seen["peer port"], "warning")  # a secret alone
        texts = self.read_bundle(path)
        self.assertIn(f"{len(texts)} files", errors)
        self.assert_clean(texts)
        self.assertLessEqual(
            {"report.txt", "report.json", "version.txt", "settings.toml", "info.txt", "health.json",
             "membership.json", "peers.json", "slowlog.json", "latency.json", "config.txt",
             "directory.txt", "system.txt", "log.txt", "scrub.json"}, texts.keys())
        self.assertEqual(json.loads(texts["report.json"]), report)
        commands = [entry["command"] for entry in json.loads(texts["slowlog.json"])]
        self.assertIn(f"SET ({len(HIDDEN) + 4} bytes) ({len(HIDDEN) + 6} bytes)", commands)
        self.assertIn("replica.open", texts["log.txt"])
        self.assertIn("key=(9 bytes)", texts["log.txt"])
        self.assertIn("log/log-00000001", texts["directory.txt"])
        self.assertIn("limits of the replica", texts["system.txt"])
        self.assertIn(f"port = {self.replica.port}", texts["settings.toml"])
        self.assertEqual(json.loads(texts["health.json"])["status"], "ok")

    def test_an_archive_and_one_that_is_there_already(self):
        path = os.path.join(self.directory, "bundle.tar")
        code, report, _ = doctor("--connect", self.to, "--output", path)
        self.assertEqual(code, worst(report))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with tarfile.open(path) as archive:
            texts = {name: archive.extractfile(name).read().decode()
                     for name in archive.getnames()}
        self.assertEqual(json.loads(texts["bundle/report.json"]), report)
        self.assert_clean(texts)
        code, _, errors = doctor("--connect", self.to, "--output", path)
        self.assertEqual(code, 2)
        self.assertIn("File exists", errors)

    def test_a_directory_whose_replica_does_not_run(self):
        alone = self.enterContext(cluster.Cluster(1))
        with alone.replicas[0].connect() as connection:
            connection.command("SET", f"{HIDDEN}-key", f"{HIDDEN}-value")
        alone.replicas[0].stop()
        data = os.path.join(alone.directory, alone.replicas[0].name)
        path = os.path.join(self.directory, "stopped")
        code, report, _ = doctor("--data", data, "--output", path)
        self.assertEqual(code, worst(report))
        self.assertEqual(verdicts(report)["data directory"], "ok")
        self.assertNotIn("server", verdicts(report))
        texts = self.read_bundle(path)
        self.assertIn("info.txt", texts)
        self.assert_clean(texts)
        os.chmod(data, 0o755)
        with open(os.path.join(data, "identity"), "r+b") as identity:
            identity.write(b"\xff" * 16)
        code, report, _ = doctor("--data", data, "--output", path + "-damaged")
        self.assertEqual(code, 1)
        self.assertEqual(verdicts(report)["data directory"], "problem")
        self.assertEqual(verdicts(report)["permissions"], "warning")

    def test_what_is_wrong_is_told(self):
        code, report, _ = doctor("--connect", "127.0.0.1:1", "--output",
                                 os.path.join(self.directory, "gone"))
        self.assertEqual((code, verdicts(report)["server"]), (1, "problem"))
        code, report, _ = doctor("--config", self.config(f"log-level = '{HIDDEN}'"),
                                 "--connect", self.to, "--output",
                                 os.path.join(self.directory, "wrong"))
        self.assertEqual((code, verdicts(report)["settings"]), (1, "problem"))
        self.assert_clean(self.read_bundle(os.path.join(self.directory, "wrong")))
        self.assertEqual(doctor("--connect", "nonsense")[0], 2)
        self.assertEqual(doctor("--log", os.path.join(self.directory, "no such log"))[0], 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
