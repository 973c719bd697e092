"""The HTTP port with Python's own client: the page, probes, metrics, data as JSON, events; and that
probes, commands, matrix and metrics agree on a link that is cut."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse

from cluster import Cluster, wait_converged

AGREE_SECONDS = 2   # what people are promised
PATIENCE_SECONDS = 30


class Client:
    """One kept connection."""

    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def get(self, path, method="GET", headers=None):
        """Status, headers and body."""
        self.connection.request(method, path, headers=headers or {})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def json(self, path, status=200):
        """The body of an answer with this status."""
        found, headers, body = self.get(path)
        assert found == status, (path, found, body)
        assert headers["Content-Type"] == "application/json"
        return json.loads(body)


def until(what, condition, seconds=PATIENCE_SECONDS):
    """Polls; the seconds it took."""
    start = time.monotonic()
    while True:
        last = condition()
        if last is True:
            return time.monotonic() - start
        if time.monotonic() - start > seconds:
            raise AssertionError(f"not within {seconds} s: {what}; last: {last}")
        time.sleep(0.02)


def samples(text):
    """Metric name and labels -> value, and name -> type."""
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"{name} comes twice"
            types[name] = kind
        elif not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            assert series not in values, f"{series} comes twice"
            values[series] = float(value)
    return values, types


def documented_metrics():
    """Name -> type, and name -> labels, from the table in the README."""
    path = os.path.join(os.environ["SYNCLINE_SOURCE"], "net", "http", "README.md")
    with open(path, encoding="utf-8") as readme:
        rows = re.findall(r"^\| `(syncline_\w+)` \| (\w+) \| ([\w, ]*)\|$", readme.read(), re.M)
    return ({name: kind for name, kind, _ in rows},
            {name: set(labels.replace(" ", "").split(",")) - {""} for name, _, labels in rows})


def metrics_are_documented(client):
    status, headers, body = client.get("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values, types = samples(body.decode())
    kinds, labels = documented_metrics()
    assert types == kinds, set(types.items()) ^ set(kinds.items())
    for series in values:
        name, _, rest = series.partition("{")
        assert set(re.findall(r'(\w+)="', rest)) == labels[name], series
        assert name.endswith("_total") == (types[name] == "counter"), name


def pages_and_errors(client):
    for path in ("/", "/page.js", "/style.css", "/icon.svg"):
        status, headers, body = client.get(path)
        assert status == 200 and body, path
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        foreign = re.sub(rb"http://www\.w3\.org/2000/svg", b"", body)
        assert b"://" not in foreign, f"{path} names another server"
        status, head, nothing = client.get(path, "HEAD")
        assert (status, nothing) == (200, b"")
        assert head["Content-Length"] == str(len(body))
    assert client.get("/nowhere")[0] == 404
    status, headers, _ = client.get("/livez", "POST")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    for host in ("evil.example", "evil.example:7381", ""):
        assert client.get("/api/status", headers={"Host": host})[0] == 421, host
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:7381"):
        assert client.get("/api/status", headers={"Host": host})[0] == 200, host
    assert "Access-Control-Allow-Origin" not in client.get("/api/status")[1]


def raw(port, data):
    """What is answered to these bytes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def bad_bytes(port):
    for data, status in ((b"\x16\x03\x01\x02\x00\x01", b"400"),
                         (b"GET / HTTP/1.1\r\nA: " + b"x" * 20000 + b"\r\n\r\n", b"431"),
                         (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"414"),
                         (b"GET / HTTP/3.0\r\n\r\n", b"505")):
        answer = raw(port, data)
        assert answer.startswith(b"HTTP/1.1 " + status), (data[:20], answer[:60])
    sent = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw(port, sent + last).count(b"HTTP/1.1 200 OK\r\n") == 51


def keys_of_any_bytes(client, replica):
    with replica.connect() as redis:
        redis.command("SET", b"key \xff\x00&", b"\x80")
        redis.command("HSET", "h", "f", "\u00e4")
        redis.command("INCR", "n")
    escaped = urllib.parse.quote(b"key \xff\x00&")
    answer = client.json("/api/key?key=" + escaped)
    assert answer["key"] == {"hex": b"key \xff\x00&".hex()}
    assert answer["cells"][0]["value"] == {"hex": "80"}
    assert client.json("/api/key?key=h&field=f")["cells"][0]["value"] == "\u00e4"
    assert client.json("/api/key?key=n")["cells"][0]["counter"][0]["adds"] == 1
    assert client.json("/api/key?key=none") is None
    assert "error" in client.json("/api/key", 400)
    status = client.json("/api/status")
    assert status["clock"]["keys"] == 4 and status["health"]["ready"] == 1
    assert status["peers"][0].keys() == client.json("/api/peers")[0].keys()
    assert {node["name"] for node in client.json("/api/matrix")["nodes"]} == {"n1", "n2", "n3"}


def told(client, replica):
    """The reasons as each of the ways has them; all must be the same."""
    status, _, body = client.get("/readyz")
    probe = json.loads(body)
    assert (status == 200) == bool(probe["ready"])
    with replica.connect() as redis:
        reply = redis.command("CRDT.HEALTH")
    health = dict(zip(reply[::2], reply[1::2]))
    command = [{name.decode(): value.decode() for name, value in zip(reason[::2], reason[1::2])}
               for reason in health[b"reasons"]]
    values, _ = samples(client.get("/metrics")[2].decode())
    down = {re.search(r'peer="([^"]+)"', series)[1] for series, value in values.items()
            if series.startswith("syncline_peer_up{") and value == 0}
    away = {node["name"] for node in client.json("/api/matrix")["nodes"] if not node["connected"]}
    page = client.json("/api/status")["health"]
    asked = subprocess.run([os.environ["SYNCLINE_BINARY"], "inspect", "status", "--json",
                            "--connect", f"127.0.0.1:{replica.port}"],
                           capture_output=True, timeout=30, check=False)
    inspected = json.loads(asked.stdout)["nodes"][0]
    return (health[b"status"].decode(), probe["status"], page["status"], inspected["health"],
            command, probe["reasons"], page["reasons"], inspected["reasons"], down, away)


def agree(client, replica, status, reasons, away):
    """Whether all ways tell just this."""
    found = told(client, replica)
    codes = [(reason["code"], reason["peer"]) for reason in found[4]]
    same = found[:4] == (status,) * 4 and codes == reasons
    same = same and found[4] == found[5] == found[6] == found[7]
    return True if same and found[8] == found[9] == away else found


def cut_links_are_told(clients, replicas):
    n1, n2, _ = replicas
    for client, replica in zip(clients, replicas):
        until("all is well", lambda c=client, r=replica: agree(c, r, "ok", [], set()))
    with n1.connect() as redis:
        assert redis.command("CRDT.LINK", "n2", "down") == "OK"
        until("n1 tells of the cut", lambda: agree(
            clients[0], n1, "degraded", [("link_cut", "n2")], {"n2"}), AGREE_SECONDS)
        until("n2 tells of the loss", lambda: agree(
            clients[1], n2, "degraded", [("link_down", "n1")], {"n1"}), AGREE_SECONDS)
        redis.command("SET", "written in the cut", "x")
        until("the lag shows", lambda: [
            pair["lag_events"] for pair in clients[0].json("/api/matrix")["pairs"]
            if (pair["from"], pair["to"]) == ("n1", "n2")] == [1])
        assert redis.command("CRDT.LINK", "n2", "up") == "OK"
    for client, replica in zip(clients, replicas):
        until("all is well again", lambda c=client, r=replica: agree(c, r, "ok", [], set()))
    until("nobody lags", lambda: not any(
        pair["lag_events"] for pair in clients[0].json("/api/matrix")["pairs"]))


def conflicts_are_listed(clients, replicas):
    """What RESP clients get, with the same options."""
    seen = clients[0].json("/api/conflicts")["last"]
    with replicas[0].connect() as first, replicas[1].connect() as second:
        for other in ("n2", "n3"):  # the third would hand it on
            first.command("CRDT.LINK", other, "down")
        for connection in (first, second):
            connection.command("SET", "fought", connection.socket.getsockname()[1])
        for other in ("n2", "n3"):
            first.command("CRDT.LINK", other, "up")
    wait_converged(replicas, PATIENCE_SECONDS)
    for client in clients[:2]:
        page = client.json("/api/conflicts?key=fought&rev&count=1")
        (record,) = page["conflicts"]
        assert record["kind"] == "write-write" and record["key"] == "fought", record
        with replicas[0].connect() as first:
            assert first.command("GET", "fought").decode() == record["winner"]["value"]
        assert record["loser"]["value"] != record["winner"]["value"]
    assert clients[0].json(f"/api/conflicts?after={seen}")["conflicts"][0]["key"] == "fought"
    assert clients[0].json("/api/conflicts?prefix=none")["conflicts"] == []
    (newest,) = clients[0].json("/api/status")["conflicts"]["conflicts"]
    assert newest["key"] == "fought"
    assert "COUNT" in clients[0].json("/api/conflicts?count=0", 400)["error"]


def events_flow(port):
    """Two status events; the open connection is handed back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/events")
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    seen = []
    while len(seen) < 2:
        line = response.readline().decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            seen.append(json.loads(line[6:]))
    assert all(one["health"]["status"] == "ok" for one in seen)
    return connection


def main():
    """All of it on three replicas."""
    with Cluster(3) as cluster:
        clients = [Client(replica.http_port()) for replica in cluster.replicas]
        first, port = cluster.replicas[0], clients[0].port
        cut_links_are_told(clients, cluster.replicas)
        keys_of_any_bytes(clients[0], first)
        conflicts_are_listed(clients, cluster.replicas)
        metrics_are_documented(clients[0])
        pages_and_errors(clients[0])
        bad_bytes(port)
        stream = events_flow(port)
        assert first.stop() == 0, "an open stream must not hold up a stop"
        stream.close()
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
