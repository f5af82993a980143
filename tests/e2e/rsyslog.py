"""A real rsyslogd in the foreground, with a given configuration, as its own process that is stopped by pid.

    daemon = Rsyslog(tmp_path, '''
        module(load="imtcp")
        input(type="imtcp" port="%(port)d" address="127.0.0.1")
        template(name="raw" type="string" string="%%rawmsg%%\\n")
        action(type="omfile" file="%(out)s" template="raw")''', port=free_port())
    wait(lambda: len(daemon.lines()) == 10, "ten lines")

Of the configuration, %(port)d, %(dir)s and %(out)s stand for the port, a folder of its own and the file that lines() reads; what else
is named in more is replaced too. Nothing of the machine's own configuration is read.
"""
import pathlib
import shutil
import signal
import subprocess

from harness import SLOW, out_lines, started, wait

RSYSLOGD = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"


class Rsyslog:
    count = 0

    def __init__(self, tmp_path, configuration, port=None, start=True, **more):
        Rsyslog.count += 1
        self.port = port
        self.dir = pathlib.Path(tmp_path) / f"rsyslog.{Rsyslog.count}"
        self.dir.mkdir()
        self.out = self.dir / "out"
        self.file = self.dir / "rsyslog.conf"
        self.log_path = self.dir / "log"
        self.process = None
        head = 'global(workDirectory="%s")\n' % self.dir
        self.file.write_text(head + configuration % {"port": port or 0, "dir": self.dir, "out": self.out, **more} + "\n")
        if start:
            self.start()

    def start(self):
        """Start it and wait until it listens on its port, if it has one."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([RSYSLOGD, "-n", "-f", str(self.file), "-i", str(self.dir / "pid")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid
        started.append(self)
        if self.port is not None:
            wait(self.listens, lambda: f"rsyslogd to listen on {self.port}\n{self.log}")
        return self

    def listens(self):
        assert self.running(), f"rsyslogd ended with {self.process.returncode}:\n{self.log}"
        return _listens(self.pid, self.port)

    def running(self):
        return self.process.poll() is None

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def lines(self):
        """What it wrote, whole lines."""
        return out_lines(self.out)

    def wait_lines(self, count, timeout=30):
        wait(lambda: len(self.lines()) >= count, lambda: f"{count} lines, rsyslog has {len(self.lines())}\n{self.log[-3000:]}", timeout)
        return self.lines()

    def stop(self):
        """In an orderly way: what it has taken, it writes."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20 * SLOW) == 0, self.log
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        return self

    def stop_now(self):
        if self.process is not None and self.running():
            self.kill()


def _listens(pid, port):
    """Does this process listen on this TCP port or is bound to this UDP port? Asked of the kernel, so that no connection is made."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        try:
            rows = pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for row in map(str.split, rows):
            if int(row[1].rpartition(":")[2], 16) == port and row[3] == state and row[9] in inodes:
                return True
    return False
