"""Certificates made by the openssl command, and peers that speak TLS with them: openssl s_server, and a receiver in a thread.

    pki = Pki(tmp_path)                 an authority, pki.ca
    pki.make("here", "IP:127.0.0.1")    pki.here.cert, pki.here.key, signed by it
"""
import pathlib
import ssl
import subprocess
import types

from harness import Connection, Receiver, SLOW, free_port, out_lines, started, wait

OPENSSL = "openssl"


def openssl(*args, **options):
    subprocess.run([OPENSSL, *map(str, args)], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


class Pki:
    def __init__(self, tmp_path):
        self.dir = pathlib.Path(tmp_path) / "pki"
        self.dir.mkdir()
        self.serial = 0
        self.authority("ca")

    def _paths(self, name):
        got = types.SimpleNamespace(name=name, cert=self.dir / f"{name}.pem", key=self.dir / f"{name}.key")
        setattr(self, name, got)
        return got

    def authority(self, name):
        a = self._paths(name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                "-keyout", a.key, "-out", a.cert)
        return a

    def make(self, name, *alternatives, issuer="ca", dates=None):
        """A certificate for ${alternatives} ("DNS:name", "IP:address"); ${dates}: from and to as openssl ca wants them."""
        got, by = self._paths(name), getattr(self, issuer)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", got.key, "-out", self.dir / "request")
        self.serial += 1
        (self.dir / "index").write_text("")
        (self.dir / "serial").write_text(f"{self.serial:04d}\n")
        names = f"subjectAltName={','.join(alternatives)}\n" if alternatives else ""
        (self.dir / "ca.conf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={self.dir}/index\nserial={self.dir}/serial\nnew_certs_dir={self.dir}\ndefault_md=sha256\n"
            f"policy=p\nx509_extensions=e\nunique_subject=no\n[p]\ncommonName=supplied\n[e]\nbasicConstraints=CA:FALSE\n{names}")
        when = ("-startdate", dates[0], "-enddate", dates[1]) if dates else ("-days", "30")
        openssl("ca", "-batch", "-notext", "-config", self.dir / "ca.conf", "-cert", by.cert, "-keyfile", by.key,
                "-in", self.dir / "request", "-out", got.cert, *when)
        return got

    def server_context(self, own, verify_client=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.cert, own.key)
        if verify_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca.cert)
        return context


class SServer:
    """openssl s_server: writes what it receives to a file."""
    count = 0

    def __init__(self, tmp_path, own, *options, port=None, quiet=True):
        SServer.count += 1
        self.port = port or free_port()
        self.out = pathlib.Path(tmp_path) / f"s_server.{SServer.count}"
        self.errors = self.out.with_suffix(".err")
        with open(self.out, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [OPENSSL, "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", str(own.cert), "-key", str(own.key),
                 *(["-quiet"] if quiet else []), *map(str, options)], stdin=subprocess.PIPE, stdout=out, stderr=errors)
        started.append(self)
        wait(self.listens, lambda: f"s_server to listen: {self.errors.read_text()}")

    def listens(self):
        assert self.process.poll() is None, self.errors.read_text()
        row = f":{self.port:04X} "
        return any(row in line and " 0A " in line for table in ("tcp", "tcp6")
                   for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines())

    def command(self, letter):
        """One of its commands: K asks for a KeyUpdate. Not with quiet."""
        self.process.stdin.write(letter.encode() + b"\n")
        self.process.stdin.flush()

    def lines(self):
        return out_lines(self.out)

    def wait_lines(self, count, timeout=30):
        wait(lambda: len(self.lines()) >= count, lambda: f"{count} lines, s_server has {len(self.lines())}", timeout)
        return self.lines()

    def kill(self):
        self.process.kill()
        self.process.wait()
        return self.port

    def stop_now(self):
        if self.process.poll() is None:
            self.kill()


class TlsReceiver(Receiver):
    """As Receiver, with TLS by Python's ssl over memory, so that it reads from the socket as slowly as it is told to. What goes wrong is in
    the connection's error."""

    def __init__(self, context, **options):
        self.context = context
        super().__init__(**options)

    def read(self, c: Connection):
        c.sock.settimeout(0.05)
        c.error, c.farewell, c.shaken = None, False, False
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(inside, outside, server_side=True)
        while not self.over and c.ended is None:
            if c.farewell:
                c.ended = "closed"
                try:
                    tls.unwrap()
                except ssl.SSLError:
                    pass
                c.sock.sendall(outside.read())
                break
            if not self.reading.wait(0.05):
                continue
            try:
                got = c.sock.recv(self.step)
            except TimeoutError:
                continue
            except OSError:
                c.ended = c.ended or "rst"
                break
            if not got:
                c.ended = c.ended or "fin"
                break
            inside.write(got)
            self._take(c, tls)
            try:
                c.sock.sendall(outside.read())
            except OSError:
                c.ended = c.ended or "rst"
            if self.close_after is not None and len(c.data) >= self.close_after:
                self.close_after = None
                self.reset(c)
                break
        c.sock.close()

    def _take(self, c, tls):
        try:
            if not c.shaken:
                tls.do_handshake()
                c.shaken = True
            while True:
                got = tls.read(1 << 16)
                if not got:
                    c.ended = "notify"
                    return
                self.received += len(got)
                if self.keep:
                    c.data += got
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            c.ended = "notify"
        except ssl.SSLError as e:
            c.error, c.ended = e, "error"

    @staticmethod
    def say_goodbye(c):
        """close_notify and a FIN, as soon as it comes to that."""
        c.farewell = True
        wait(lambda: c.ended, "the receiver to hang up", 5 * SLOW)
