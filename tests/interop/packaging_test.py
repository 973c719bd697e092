"""What is installed beside the program, and what watches it, says what is true of it."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import cluster

BINARY = os.environ["SYNCLINE_BINARY"]
PACKAGING = os.path.join(os.environ["SYNCLINE_SOURCE"], "tools", "packaging")
BUILD = os.path.dirname(BINARY)
# Of Prometheus and of the scrape, not of a replica.
FOREIGN_LABELS = {"instance", "job"}
try:
    import yaml
except ImportError:
    yaml = None


def run(*command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def read(*path):
    """A file of the packaging."""
    with open(os.path.join(PACKAGING, *path), encoding="utf-8") as file:
        return file.read()


def words_of(program, *path):
    """Subcommands and long options, as the program tells."""
    text = run(program, *path, "--help")
    section = text[text.find("Subcommands:"):] if "Subcommands:" in text else ""
    return (re.findall(r"^  ([a-z]+) ", section, re.MULTILINE),
            set(re.findall(r"^ +(?:-\w,)?(--[a-z][a-z0-9-]+)", text, re.MULTILINE)))


class Packaging(unittest.TestCase):
    """Files beside the program."""

    def test_settings_and_manual(self):
        run(BINARY, "config", "check", "--config", os.path.join(PACKAGING, "syncline.toml"))
        lines = [line[1:] for line in read("syncline.toml").splitlines()
                 if re.match(r"#[a-z-]+ = ", line)]
        self.assertGreater(len(lines), 5)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:  # examples are valid, too
            file.write("\n".join(lines))
            file.flush()
            printed = run(BINARY, "config", "print", "--config", file.name)
        self.assertEqual(len(printed.splitlines()), len(lines))
        subcommands, _ = words_of(BINARY)
        manual = read("man", "syncline.1.scd")
        for name in subcommands:
            self.assertIn(f"*{name}*", manual)
        if shutil.which("scdoc") is None:
            self.skipTest("no scdoc")
        for page in ("syncline.1.scd", "syncline.toml.5.scd.in"):
            source = read("man", page).replace("@settings@", run(BINARY, "config", "manual"))
            page_text = run("scdoc", input=source.replace("\n    ", "\n\t"))
            self.assertIn(".TH", page_text)
            if page.startswith("syncline.toml"):
                self.assertIn("SYNCLINE_PEER_SECRET_FILE", page_text)

    def test_completions_in_their_shells(self):
        for path in ((), ("serve",), ("inspect", "key"), ("shell",)):
            subcommands, options = words_of(BINARY, *path)
            script = run(BINARY, "completion", "bash") + (
                f"\nCOMP_WORDS=(syncline {' '.join(path)} ''); COMP_CWORD={len(path) + 1}\n"
                "_syncline; printf '%s\\n' \"${COMPREPLY[@]}\"\n")
            offered = set(run("bash", "-c", script).split())
            self.assertLessEqual(set(subcommands) | options, offered, path)
        fish, zsh = shutil.which("fish"), shutil.which("zsh")
        with tempfile.TemporaryDirectory() as scratch:
            environment = {**os.environ, "HOME": scratch, "PATH": f"{BUILD}:{os.environ['PATH']}"}
            if fish:
                script = run(BINARY, "completion", "fish") + "\ncomplete -C 'syncline inspect '"
                offered = {line.split("\t")[0] for line in
                           run(fish, "-c", script, env=environment).splitlines()}
                self.assertLessEqual({"status", "peers", "key", "diff"}, offered)
            if zsh:
                self.complete_in_zsh(zsh, scratch, environment)

    def complete_in_zsh(self, zsh, scratch, environment):
        """The file in a folder of fpath, at the first Tab and at the second."""
        with open(os.path.join(scratch, "_syncline"), "w", encoding="ascii") as file:
            file.write(run(BINARY, "completion", "zsh"))
        process, terminal = pty.fork()
        if process == 0:
            os.execve(zsh, [zsh, "-f", "-i"], {**environment, "TERM": "dumb", "PS1": "> "})
        typed = (f"fpath=({scratch} $fpath); autoload -U compinit; compinit -u -d {scratch}/dump\n",
                 "syncline insp\t", "stat\t--js\t")
        expected = ("> ", r"syncline inspect\s", r"status\s+--json")
        seen = ""
        for text, wanted in zip(typed, expected):
            os.write(terminal, text.encode())
            deadline = time.monotonic() + 30
            while not re.search(wanted, re.sub(r"\x08|\r", "", seen)):
                self.assertTrue(select.select([terminal], [], [],
                                              max(0, deadline - time.monotonic()))[0], seen)
                seen += os.read(terminal, 4096).decode(errors="replace")
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_the_unit(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "syncline.service")
            with open(path, "w", encoding="ascii") as file:
                file.write(read("syncline.service.in").replace(
                    "@CMAKE_INSTALL_FULL_BINDIR@/syncline", BINARY))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], check=False,
                                  capture_output=True, text=True, timeout=60)
            told = [line for line in done.stderr.splitlines() if "syncline" in line]
            self.assertEqual(told, [])

    @unittest.skipUnless(yaml, "no python3-yaml")
    def test_manifests(self):
        services = yaml.safe_load(read("docker", "compose.yml"))["services"]
        self.assertLessEqual({"a", "b", "c", "prometheus", "grafana"}, services.keys())
        kinds = {}
        for document in yaml.safe_load_all(read("kubernetes", "syncline.yml")):
            kinds.setdefault(document["kind"], []).append(document)
        self.assertEqual(sorted(kinds), ["NetworkPolicy", "PodDisruptionBudget", "Service",
                                         "StatefulSet"])
        pod = kinds["StatefulSet"][0]["spec"]["template"]
        container = pod["spec"]["containers"][0]
        names = {port["name"] for port in container["ports"]}
        for service in kinds["Service"]:
            self.assertLessEqual({port["name"] for port in service["spec"]["ports"]}, names)
            self.assertLessEqual(service["spec"]["selector"].items(),
                                 pod["metadata"]["labels"].items())
        self.check_start(container["command"] + container["args"])
        self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/readyz")
        self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/livez")
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]} | {
            claim["metadata"]["name"]
            for claim in kinds["StatefulSet"][0]["spec"]["volumeClaimTemplates"]}
        self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)
        _, options = words_of(BINARY, "serve")
        variables = {entry["name"] for entry in container["env"]}
        variables |= set(services["a"]["environment"])
        variables |= set(re.findall(r"SYNCLINE_[A-Z_]+(?==)", read("docker", "Dockerfile")))
        for variable in variables:  # cmake's own ones have no value that serve would read
            option = "--" + variable[len("SYNCLINE_"):].lower().replace("_", "-")
            self.assertIn(option, options | {"--tests", "--python"}, variable)

    def check_start(self, command):
        """What the script of the pods makes of their names, with other programs in its way."""
        expected = {"0": "serve --peer db-1.syncline-peers:7380 --peer db-2.syncline-peers:7380 "
                         "--init",
                    "2": "serve --peer db-0.syncline-peers:7380 --peer db-1.syncline-peers:7380"}
        with tempfile.TemporaryDirectory() as scratch:
            for name in ("syncline", "install"):
                path = os.path.join(scratch, name)
                with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o755), "w",
                          encoding="ascii") as file:
                    file.write("#!/bin/sh\n" + ("echo \"$@\"\n" if name == "syncline" else ""))
            for number, arguments in expected.items():
                environment = {"PATH": f"{scratch}:{os.environ['PATH']}",
                               "SYNCLINE_NODE": f"db-{number}", "SYNCLINE_REPLICAS": "3"}
                self.assertEqual(run(*command, env=environment).strip(), arguments)

    def test_metrics_that_are_named_are_there(self):
        """With their labels, of two replicas that are linked."""
        with cluster.Cluster(2, ["--replicas", "2"]) as replicas:
            port = replicas.replicas[0].http_port()
            deadline = time.monotonic() + 30
            text = ""
            while "syncline_replication_lag_seconds{" not in text:  # once they know each other
                self.assertLess(time.monotonic(), deadline, text)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics",
                                            timeout=10) as reply:
                    text = reply.read().decode()
        labels = {}
        for name, inside in re.findall(r"^(syncline_\w+)(?:\{(.*?)\})? ", text, re.MULTILINE):
            labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
        dashboard = json.loads(read("monitoring", "syncline-dashboard.json"))
        targets = [(target["expr"], target["legendFormat"]) for panel in dashboard["panels"]
                   for target in panel.get("targets", [])]
        self.assertGreater(len(targets), 20)
        rules = read("monitoring", "syncline.rules.yml")
        blocks = [(re.search(r"expr: (.*)", block)[1], block)
                  for block in rules.split("- alert:")[1:]]
        self.assertGreater(len(blocks), 10)
        for expression, words in targets + blocks:
            names = re.findall(r"syncline_\w+", expression)
            self.assertTrue(names or expression.startswith("up{"), expression)
            known = FOREIGN_LABELS.union(*(labels.get(name, set()) for name in names))
            for name in names:
                self.assertIn(name, labels, expression)
            used = re.findall(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}", words)
            self.assertLessEqual(set(used), known, expression)
        if shutil.which("promtool"):
            run("promtool", "check", "rules",
                os.path.join(PACKAGING, "monitoring", "syncline.rules.yml"))
        else:
            print("promtool is not installed: the rules' syntax is not checked", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
