"""As a service: what the manager is told (sd_notify), and SIGHUP, which reads settings again."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import cluster

BINARY = os.environ["SYNCLINE_BINARY"]
SECONDS = 30


class Service(unittest.TestCase):
    """A replica whose manager is the test."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="syncline-service-"))
        self.config = os.path.join(self.directory, "syncline.toml")
        self.port = cluster.free_ports(1)[0]
        self.write()

    def write(self, *lines):
        """The settings."""
        with open(self.config, "w", encoding="ascii") as file:
            file.write("\n".join([f"data = '{self.directory}/data'", f"port = {self.port}",
                                  "http-port = 0", *lines]))

    def start(self, name):
        """A process, and the socket at which it tells how it is."""
        manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind("\0" + name[1:] if name[0] == "@" else name)
        process = self.enterContext(subprocess.Popen(
            [BINARY, "serve", "--config", self.config], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env={**os.environ, "NOTIFY_SOCKET": name}))
        self.addCleanup(process.kill)
        return process, manager

    def told(self, manager):
        """The next message, in lines."""
        self.assertTrue(select.select([manager], [], [], SECONDS)[0], "nothing is told")
        return manager.recv(4096).decode().split("\n")

    def log_line(self, process, event):
        """The next line of the log about this event."""
        for line in process.stderr:
            if f" {event} " in line.decode():
                return line.decode()
        self.fail(f"no {event} in the log")
        return None

    def setting(self, name):
        """By CONFIG GET."""
        connection = cluster.Connection(self.port, SECONDS)
        with connection:
            return connection.command("CONFIG", "GET", name)[1]

    def test_the_manager_is_told(self):
        for name in (os.path.join(self.directory, "notify"), f"@syncline-test-{os.getpid()}"):
            process, manager = self.start(name)
            self.assertEqual(self.told(manager), ["READY=1",
                                                  f"STATUS=clients at port {self.port}"])
            with cluster.Connection(self.port, SECONDS) as connection:
                self.assertEqual(connection.command("PING"), "PONG")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.told(manager), ["STOPPING=1"])
            self.assertEqual(process.wait(SECONDS), 0)
            manager.close()

    def test_settings_are_read_again(self):
        process, manager = self.start(os.path.join(self.directory, "notify"))
        self.told(manager)
        self.write("repair-bandwidth = '3mb'", "durability = 'interval'", "log-level = 'info'")
        process.send_signal(signal.SIGHUP)
        self.assertEqual(self.told(manager)[0], "RELOADING=1")
        self.assertEqual(self.told(manager), ["READY=1"])
        self.assertIn("wait_for_start=durability", self.log_line(process, "settings.read"))
        self.assertEqual(self.setting("repair-bandwidth"), b"3145728")
        self.write("repair-bandwidth = 'nonsense'")
        process.send_signal(signal.SIGHUP)
        self.assertIn("nonsense", self.log_line(process, "settings.refused"))
        self.assertEqual(self.setting("repair-bandwidth"), b"3145728")

    def test_the_level_of_the_log_changes(self):
        process, manager = self.start(os.path.join(self.directory, "notify"))
        self.told(manager)
        for level, told in (("error", False), ("info", True)):
            self.write(f"log-level = '{level}'")
            process.send_signal(signal.SIGHUP)
            self.assertEqual(self.told(manager)[0], "RELOADING=1")
            self.assertEqual(self.told(manager), ["READY=1"])
            os.set_blocking(process.stderr.fileno(), False)
            log = process.stderr.read() or b""
            self.assertEqual(b" settings.read " in log, told, log)

    def test_peers_come_and_go(self):
        secret = cluster.write_secret(self.directory)
        own, other = cluster.free_ports(2)
        common = [f"peer-secret-file = '{secret}'", f"peer-port = {own}"]
        self.write("init = true", *common)
        process, manager = self.start(os.path.join(self.directory, "notify"))
        self.told(manager)
        # Nobody dials but the replica of the test: this one knows of no peer.
        dialed = cluster.Replica("dialed", self.directory, [
            "--peer-port", str(other), "--peer-secret-file", secret, "--peer", "127.0.0.1:1"],
            cluster.free_ports(1)[0])
        dialed.start()
        self.addCleanup(dialed.kill)

        def reload(*lines, up):
            self.write("init = true", *common, *lines)
            process.send_signal(signal.SIGHUP)
            if not up:
                self.assertIn("by the settings", self.log_line(process, "peer.down"))
            self.assertIn("wait_for_start=\"\"", self.log_line(process, "settings.read"))
            if up:
                self.log_line(process, "peer.up")

        with cluster.Connection(self.port, SECONDS) as connection:
            reload(f"peer = ['127.0.0.1:{other}']", up=True)
            connection.command("SET", "seen", "1")
            self.assertEqual(connection.command("WAIT", "1", str(1000 * SECONDS)), 1)
            reload(up=False)
            connection.command("SET", "unseen", "1")
            self.assertEqual(connection.command("WAIT", "1", "300"), 0)
            reload(f"peer = ['127.0.0.1:{other}']", up=True)
            self.assertEqual(connection.command("WAIT", "1", str(1000 * SECONDS)), 1)

    def test_without_a_manager_it_is_as_well(self):
        for name in ("", "relative", "/no/such/socket", "/" + "x" * 200):
            with self.subTest(name):
                process = subprocess.Popen(
                    [BINARY, "serve", "--config", self.config], stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": name})
                with process:
                    while not process.stdout.readline().startswith(b"Connect with"):
                        self.assertIsNone(process.poll())
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(SECONDS), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
