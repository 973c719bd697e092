"""Stands in for redis-server where the tests of Redis start their own: takes their configuration,
says what they wait for, and becomes the binary named by SYNCLINE_BINARY.

    redis_suite_server.py CONFIG"""

import os
import sys
import time

from cluster import Connection

SECONDS = 30


def read_config(path):
    """The lines by their first word; all of those that come more than once."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.strip().partition(" ")
            if name:
                found.setdefault(name, []).append(value.strip("'\""))
    return found


def private(path, text=None):
    """A file that its owner alone may read; its name."""
    if text is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(path, 0o600)
    return path


def options_of(config):
    """What `syncline serve` is told instead."""
    directory = os.path.abspath(config["dir"][0])
    options = ["--port", config["port"][0], "--bind", config.get("bind", ["127.0.0.1"])[0],
               "--data", os.path.join(directory, "data"), "--http-port", "off", "--log-level",
               "error"]
    if config.get("requirepass", [""])[0]:
        options += ["--requirepass-file",
                    private(os.path.join(directory, "password"), config["requirepass"][0])]
    if "aclfile" in config:
        options += ["--acl-file", private(os.path.join(directory, config["aclfile"][0]))]
    elif "user" in config:
        lines = "".join(f"user {user}\n" for user in config["user"])
        options += ["--acl-file", private(os.path.join(directory, "users"), lines)]
    return options


def tell_when_ready(config, process):
    """Waits for the port, passes on what only CONFIG SET takes, and says that all is well."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            connection = Connection(int(config["port"][0]), 5)
            break
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
    if "acl-pubsub-default" in config:
        connection.command("CONFIG", "SET", "acl-pubsub-default", config["acl-pubsub-default"][0])
    connection.close()
    print(f" PID: {process}\nReady to accept connections", flush=True)


def main():
    config = read_config(sys.argv[1])
    process = os.getpid()
    if os.fork() == 0:
        tell_when_ready(config, process)
        return
    binary = os.environ["SYNCLINE_BINARY"]
    os.execv(binary, [binary, "serve", *options_of(config)])


if __name__ == "__main__":
    main()
