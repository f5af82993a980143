"""A real nginx under load: its access log as JSON, rotated by the real logrotate, split by status into two files. Every request once."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading

from harness import Weir, config, file, out_lines, started, tail, wait

CONF = r"""
daemon off;
user root;  # the worker itself reopens the log, and the folder is root's
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    log_format json escape=json '{{"n":$arg_n,"status":$status,"uri":"$request_uri","agent":"$http_user_agent"}}';
    access_log {dir}/access.log json;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 10000000;
    server {{
        listen 127.0.0.1:{port};
        location /ok {{ return 200 "ok\n"; }}
        location /broken {{ return 500 "broken\n"; }}
        location /missing {{ return 404 "missing\n"; }}
    }}
}}
"""
# as bytes in Latin-1, as http.client sends them: "café" in UTF-8, and in Latin-1, which no JSON parser that keeps to RFC 8259 takes
AGENTS = ['plain', 'say "hi"', 'back\\slash', 'tab\there', 'caf\xc3\xa9', 'caf\xe9', '{"not":"json', "'; drop", '',
          'control \x01\x1b[31m\x7f']  # ten, which has no factor in common with the three paths: each meets each
ROTATIONS = 4


class Nginx:
    def __init__(self, directory):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.dir = directory
        conf = directory / "nginx.conf"
        conf.write_text(CONF.format(dir=directory, port=self.port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([program, "-p", str(directory), "-c", str(conf)], stderr=subprocess.DEVNULL)
        started.append(self)
        wait(self.answers, "nginx")

    def answers(self):
        assert self.process.poll() is None, (self.dir / "error.log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop_now(self):
        self.process.terminate()
        self.process.wait()


class Load(threading.Thread):
    """One request after the other, each with a number of its own, until told to stop; two of three fail."""

    def __init__(self, port, first, step):
        super().__init__()
        self.port, self.next, self.step = port, first, step
        self.sent = []
        self.enough = threading.Event()
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        while not self.enough.is_set():
            n = self.next
            path = ["/ok", "/broken", "/missing"][n % 3]
            connection.request("GET", f"{path}?n={n}", headers={"User-Agent": AGENTS[n % len(AGENTS)]})
            connection.getresponse().read()
            self.sent.append(n)
            self.next += self.step
        connection.close()


def test_every_request_once_split_by_status(tmp_path):
    os.chmod(tmp_path, 0o755)
    log = tmp_path / "access.log"
    nginx = Nginx(tmp_path)
    good, bad, odd = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "odd"
    sinks = [{**file(good), "where": ".status < 400"}, {**file(bad), "where": ".status >= 400"}, {**file(odd), "where": ".status == null"}]
    weir = Weir(tmp_path, config(tmp_path, tail(log), sinks, [{"type": "json"}]))
    weir.following(log)
    rotation = tmp_path / "logrotate.conf"
    rotation.write_text(f"{log} {{\n  rotate 20\n  size 1\n  create 0644 root root\n  su root root\n"
                        f"  postrotate\n    kill -USR1 $(cat {tmp_path}/nginx.pid)\n  endscript\n}}\n")
    rotation.chmod(0o644)
    inodes = {os.stat(log).st_ino}
    threads = [Load(nginx.port, i, 4) for i in range(4)]
    for _ in range(ROTATIONS):
        wait(lambda: log.stat().st_size > 200000, "the log to grow")
        subprocess.run([shutil.which("logrotate") or "/usr/sbin/logrotate", "-f", "-s", tmp_path / "lr.state", rotation], check=True)
        inodes.add(os.stat(log).st_ino)
    wait(lambda: log.stat().st_size > 200000, "nginx to write to the last one")
    for t in threads:
        t.enough.set()
    for t in threads:
        t.join()
    sent = sorted(n for t in threads for n in t.sent)
    assert len(inodes) == ROTATIONS + 1
    outs = [good, bad, odd]
    wait(lambda: all(o.exists() for o in outs) and sum(len(out_lines(o)) for o in outs) >= len(sent), "all requests", 30)
    weir.stop()
    strange = AGENTS.index("caf\xe9")
    rows = {o: [json.loads(line) for line in out_lines(o)] for o in (good, bad)}
    assert sorted(r["n"] for r in rows[good]) == [n for n in sent if n % 3 == 0 and n % len(AGENTS) != strange]
    assert sorted(r["n"] for r in rows[bad]) == [n for n in sent if n % 3 != 0 and n % len(AGENTS) != strange]
    assert {r["status"] for r in rows[good]} == {200} and {r["status"] for r in rows[bad]} == {500, 404}
    assert all(b"caf\xe9" in line for line in out_lines(odd))
    # byte for byte what nginx wrote
    written = sorted(line for path in tmp_path.glob("access.log*") for line in path.read_bytes().splitlines())
    assert sorted(sum(map(out_lines, outs), [])) == written and len(written) == len(sent)
