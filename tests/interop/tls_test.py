"""TLS of the client and HTTP ports: redis-cli, redis-py, Python's ssl and the tools of the project;
certificates of clients, certificates that are replaced, handshakes that do not end."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import redis

from cluster import Cluster, free_ports

SYNCLINE = os.environ["SYNCLINE_BINARY"]
HANDSHAKE_SECONDS = 15  # it gets 5, and is looked at once a second


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


class Authority:
    """Signs certificates, by the openssl program; files in a directory."""

    def __init__(self, directory, name):
        self.directory = directory
        self.cert = os.path.join(directory, name + ".crt")
        self.key = os.path.join(directory, name + ".key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", "/CN=" + name)

    def issue(self, name):
        """Certificate and key of a server, or a client, on this machine."""
        base = os.path.join(self.directory, name)
        extensions = base + ".ext"
        with open(extensions, "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", base + ".key", "-out", base + ".csr", "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key,
                "-CAcreateserial", "-out", base + ".crt", "-days", "2", "-extfile", extensions)
        return base + ".crt", base + ".key"


def secure(port, ca, files=None, version=None):
    """A TLS connection that has shaken hands."""
    context = ssl.create_default_context(cafile=ca)
    if files is not None:
        context.load_cert_chain(*files)
    if version is not None:
        context.maximum_version = version
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20),
                               server_hostname="127.0.0.1", suppress_ragged_eofs=False)


def answer(port, ca, files=None, version=None):
    """To a PING; None if this side is refused."""
    try:
        with secure(port, ca, files, version) as connection:
            connection.sendall(b"PING\r\nQUIT\r\n")
            received = b""
            while piece := connection.recv(1000):  # the end must be said, not only happen
                received += piece
            return received.decode()
    except (ssl.SSLError, ConnectionError):
        return None


def redis_cli(port, *arguments, stdin=None):
    done = subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(port), "--tls", *arguments],
                          capture_output=True, check=False, timeout=60, input=stdin)
    return done.stdout.decode(), done.stderr.decode()


def in_pieces(port, ca):
    """A handshake and requests that come byte by byte."""
    context = ssl.create_default_context(cafile=ca)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        connection.sendall(bytes([byte]))
                    incoming.write(connection.recv(100))

        until_done(session.do_handshake)
        session.write(b"ECHO piecemeal\r\n")
        assert until_done(lambda: session.read(1000)) == b"$9\r\npiecemeal\r\n"


def both_ports(scratch, authority, foreign):
    tls_port, = free_ports(1)
    cert, key = authority.issue("server")
    options = ["--tls-port", str(tls_port), "--tls-cert", cert, "--tls-key", key,
               "--tls-auth-clients", "no", "--http-tls", "yes"]
    with Cluster(1, options) as cluster:
        replica = cluster.replicas[0]
        stuck = [socket.create_connection(("127.0.0.1", tls_port), 20) for _ in range(2)]
        stuck[1].sendall(b"\x16\x03\x01")
        began = time.monotonic()
        assert redis_cli(tls_port, "--cacert", authority.cert, "SET", "k", "v")[0] == "OK\n"
        assert "verify failed" in "".join(redis_cli(tls_port, "--cacert", foreign.cert, "PING"))
        with replica.connect() as connection:
            assert connection.command("GET", "k") == b"v"
            assert connection.command("CONFIG", "GET", "tls-port")[1] == str(tls_port).encode()
        long = os.urandom(3_000_000)
        with redis.Redis(port=tls_port, ssl=True, ssl_ca_certs=authority.cert) as client:
            pipeline = client.pipeline(transaction=False)
            for i in range(1000):
                pipeline.set(f"k{i}", i)
            pipeline.set("long", long)
            pipeline.get("long")
            assert pipeline.execute()[-1] == long
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert answer(tls_port, authority.cert, version=version) == "+PONG\r\n+OK\r\n"
        assert answer(tls_port, foreign.cert) is None
        in_pieces(tls_port, authority.cert)
        with socket.create_connection(("127.0.0.1", tls_port), 20) as connection:
            connection.sendall(b"PING\r\n")  # no TLS
            assert b"PONG" not in connection.recv(1000)
        pages(replica, authority)
        tools(tls_port, authority, foreign)
        replaced(replica, tls_port, authority, cert, key)
        for connection in stuck:
            connection.settimeout(HANDSHAKE_SECONDS)
            assert connection.recv(1000) == b"", "a handshake that does not end is left open"
        assert time.monotonic() - began < HANDSHAKE_SECONDS


def pages(replica, authority):
    """The HTTP port speaks TLS, and nothing else."""
    context = ssl.create_default_context(cafile=authority.cert)
    connection = http.client.HTTPSConnection("127.0.0.1", replica.http_port(), timeout=20,
                                             context=context)
    for _ in range(2):
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200 and b"syncline_clients" in response.read()
    plain = http.client.HTTPConnection("127.0.0.1", replica.http_port(), timeout=20)
    try:
        plain.request("GET", "/livez")
        raise AssertionError(plain.getresponse().status)
    except (http.client.HTTPException, ConnectionError):
        pass


def tools(port, authority, foreign):
    """Tools check the server's certificate."""

    def run(code, address, *words):
        done = subprocess.run([SYNCLINE, "inspect", "key", "k", "--connect", address, *words],
                              capture_output=True, check=False, text=True, timeout=60)
        assert done.returncode == code, done
        return done.stdout + done.stderr

    for host in ("127.0.0.1", "localhost"):
        assert "v" in run(0, f"{host}:{port}", "--tls-ca", authority.cert)
    assert "certificate is refused" in run(3, f"127.0.0.1:{port}", "--tls-ca", foreign.cert)
    assert "certificate is refused" in run(3, f"127.0.0.1:{port}", "--tls")


def replaced(replica, port, authority, cert, key):
    """SIGHUP: who comes gets the new certificate, who is there stays; a bad file changes
    nothing."""

    def serial():
        with secure(port, authority.cert) as connection:
            return connection.getpeercert()["serialNumber"]

    before = serial()
    with secure(port, authority.cert) as old:
        new_cert, new_key = authority.issue("successor")
        os.replace(new_key, key)
        os.replace(new_cert, cert)
        replica.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while (now := serial()) == before:
            assert time.monotonic() < deadline, "the certificate stays"
            time.sleep(0.02)
        with open(cert, "w", encoding="ascii") as file:
            file.write("no certificate\n")
        replica.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while "client.certificates_refused" not in open(replica.log_path, encoding="utf-8").read():
            assert time.monotonic() < deadline, "nothing is said of a bad file"
            time.sleep(0.02)
        assert serial() == now
        old.sendall(b"PING\r\n")
        assert old.recv(100) == b"+PONG\r\n"


def clients_with_certificates(authority, foreign):
    cert, key = authority.issue("demanding")
    good = authority.issue("client")
    bad = foreign.issue("stranger")
    ok = "+PONG\r\n+OK\r\n"
    for how, none, stranger in (("yes", None, None), ("optional", ok, None)):
        tls_port, = free_ports(1)
        options = ["--tls-port", str(tls_port), "--tls-cert", cert, "--tls-key",
                   key, "--tls-ca", authority.cert, "--tls-auth-clients", how]
        cluster = Cluster(1, options)
        replica = cluster.replicas[0]
        replica.command[replica.command.index("--port") + 1] = "off"
        replica.start()  # the cluster would wait for its plain port
        try:
            deadline = time.monotonic() + 30
            while answer_or_refused(tls_port, authority.cert, good) != ok:
                assert time.monotonic() < deadline, replica.log_tail()
                time.sleep(0.05)
            assert answer(tls_port, authority.cert) == none
            assert answer(tls_port, authority.cert, bad) == stranger
            out, _ = redis_cli(tls_port, "--cacert", authority.cert, "--cert", good[0], "--key",
                               good[1], "CONFIG", "GET", "port")
            assert out == "port\n0\n", out
            try:
                socket.create_connection(("127.0.0.1", replica.port), 5)
                raise AssertionError("there is a plain port")
            except ConnectionRefusedError:
                pass
        finally:
            replica.kill()
            cluster.__exit__(None, None, None)


def answer_or_refused(port, ca, files):
    """answer(), or None while nobody listens."""
    try:
        return answer(port, ca, files)
    except OSError:
        return None


def wrong_settings(scratch, authority):
    cert, key = authority.issue("lone")
    _, other_key = authority.issue("other")
    public = os.path.join(scratch, "public.key")
    with open(public, "w", encoding="ascii") as file, open(key, encoding="ascii") as secret:
        file.write(secret.read())
    os.chmod(public, 0o644)
    for sentence, options in (
            ("need --tls-cert and --tls-key", []),
            ("--tls-ca is missing", ["--tls-cert", cert, "--tls-key", key]),
            ("cannot use key", ["--tls-cert", cert, "--tls-key", other_key, "--tls-auth-clients",
                                "no"]),
            ("open to others", ["--tls-cert", cert, "--tls-key", public, "--tls-auth-clients",
                                "no"]),
            ("cannot read the certificate", ["--tls-cert", "missing", "--tls-key", key,
                                             "--tls-auth-clients", "no"]),
            ("'maybe' is none of: yes, no, optional", ["--tls-auth-clients", "maybe"])):
        done = subprocess.run([SYNCLINE, "config", "check", "--tls-port", "0", *options],
                              capture_output=True, check=False, text=True, timeout=30)
        assert done.returncode == 2 and sentence in done.stderr, (sentence, done)
    done = subprocess.run([SYNCLINE, "config", "check", "--port", "off"], capture_output=True,
                          check=False, text=True, timeout=30)
    assert done.returncode == 2 and "leaves no port for clients" in done.stderr, done


def main():
    with tempfile.TemporaryDirectory(prefix="syncline-tls-") as scratch:
        os.mkdir(os.path.join(scratch, "foreign"))
        authority = Authority(scratch, "ca")
        foreign = Authority(os.path.join(scratch, "foreign"), "ca")
        wrong_settings(scratch, authority)
        clients_with_certificates(authority, foreign)
        both_ports(scratch, authority, foreign)
    return 0


if __name__ == "__main__":
    signal.alarm(240)
    sys.exit(main())
