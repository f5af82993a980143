"""A TCP receiver that can be killed with kill -9 without anything getting lost that its kernel has acknowledged.

A child process moves what comes from the socket into a pipe, with splice(2): a byte is in the one or in the other, whenever the child dies.
The parent holds both, so it can say exactly what the kernel had acknowledged at that moment, which is all that a sink with
"ack": "kernel" promises, whatever the dead program had read of it.
"""
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from fcntl import ioctl

# A splice that waits for the socket would hold the lock of the pipe meanwhile, and keep the parent from reading it.
CHILD = """
import os, select, sys, time
sock, pipe, step, pause = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
def until(fd, event):
    p = select.poll()
    p.register(fd, event)
    p.poll()
while True:
    until(sock, select.POLLIN)
    until(pipe, select.POLLOUT)
    try:
        if os.splice(sock, pipe, step, flags=os.SPLICE_F_NONBLOCK) == 0:
            break
    except BlockingIOError:
        pass
    time.sleep(pause)
"""


class Life:
    """One connection and the child that reads it."""

    def __init__(self, sock, step, pause, take):
        self.sock, self.take, self.rest = sock, take, b""
        self.over = False
        self.pipe, theirs = os.pipe()
        self.child = subprocess.Popen([sys.executable, "-S", "-E", "-c", CHILD, str(sock.fileno()), str(theirs), str(step), str(pause)],
                                      pass_fds=[sock.fileno(), theirs], stderr=subprocess.DEVNULL)
        os.close(theirs)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def got(self, data):
        """Whole lines are handed on; the piece of a line that a connection ends with is none."""
        *whole, self.rest = (self.rest + data).split(b"\n")
        if whole:
            self.take(whole)

    def __str__(self):
        if self.over:
            return "over"
        with open(f"/proc/{self.child.pid}/stat") as f:
            return f"{self.queued()} bytes wait, child {f.read().split()[2]}"

    def read(self):
        while data := os.read(self.pipe, 1 << 20):
            self.got(data)
        self.child.wait()
        os.close(self.pipe)
        if not self.over:  # the peer has closed
            self.over = True
            self.sock.close()

    def queued(self):
        return struct.unpack("i", ioctl(self.sock, termios.FIONREAD, b"\0" * 4))[0]

    def die(self, reset, freeze):
        """kill -9, and the connection ends with an RST or a FIN. ${freeze}(bool) stops and continues the peer, so that nothing is
        acknowledged between our last look and the RST."""
        if self.over:
            return
        self.over = True
        self.child.kill()
        self.thread.join()
        if reset:
            freeze(True)
            before, quiet = -1, 0
            while quiet < 3:
                now = self.queued()
                quiet = quiet + 1 if now == before else 0
                before = now
                time.sleep(0.004)
            if before:
                self.got(self.sock.recv(before, socket.MSG_PEEK | socket.MSG_DONTWAIT))  # taken out it would make room for more
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
            freeze(False)
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(20)
            while data := self.sock.recv(1 << 20):
                self.got(data)
        except OSError:
            pass
        self.sock.close()


class Mortal(threading.Thread):
    """Listens; ${take}(lines) is called, from any thread, with the lines that came."""

    def __init__(self, take, rng):
        super().__init__(daemon=True)
        self.take, self.rng = take, rng
        self.lock = threading.Lock()
        self.lives = []
        self.deaths = 0
        self.ended = False
        self.step, self.pause = 1 << 16, 0
        self.listener = None
        self.port = 0
        self.listen()
        self.start()

    def __str__(self):
        return f"{'listens' if self.listener else 'absent'}; " + ", ".join(map(str, self.lives))

    def listen(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        s.bind(("127.0.0.1", self.port))
        s.listen(8)
        s.settimeout(0.02)
        self.port = s.getsockname()[1]
        self.listener = s

    def run(self):
        while not self.ended:
            listener = self.listener
            if listener is None:
                time.sleep(0.01)
                continue
            try:
                sock, _ = listener.accept()
            except OSError:
                continue
            sock.setblocking(True)
            with self.lock:
                self.lives = [x for x in self.lives if not x.over] + [Life(sock, self.step, self.pause, self.take)]

    def absent(self, yes, freeze):
        """Nobody listens; what is in the backlog is accepted first, for the kernel has acknowledged what came there."""
        if yes and self.listener is not None:
            freeze(True)
            listener, self.listener = self.listener, None
            time.sleep(0.03)
            listener.setblocking(False)
            try:
                while True:
                    sock, _ = listener.accept()
                    sock.setblocking(True)
                    with self.lock:
                        self.lives.append(Life(sock, self.step, self.pause, self.take))
            except OSError:
                pass
            listener.close()
            freeze(False)
        elif not yes and self.listener is None:
            self.listen()

    def kill(self, reset, freeze):
        """kill -9 of the reading child of every connection there is."""
        with self.lock:
            lives = [x for x in self.lives if not x.over]
        for life in lives:
            life.die(reset, freeze)
            self.deaths += 1

    def signal(self, number):
        with self.lock:
            for life in self.lives:
                if life.child.poll() is None:
                    os.kill(life.child.pid, number)

    def stop_now(self):
        self.ended = True
        self.join()
        self.signal(signal.SIGKILL)
        if self.listener is not None:
            self.listener.close()
