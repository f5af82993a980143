"""A RELP server that does what a test says, in a thread; written against librelp's doc/relp.md, not against weir.

    server = RelpServer()                     answers each record with 200, in order
    server = RelpServer(behave=f)             calls f(session, txnr, data) for each record instead
    server.taken                              the records that were answered with 200, over all sessions

What a session can do besides: ok(txnr), no(txnr, words), send(bytes), hang_up(), reset().
"""
import re
import socket
import struct
import threading

from harness import started, wait

OFFERS = b"relp_version=0\nrelp_software=test\ncommands=syslog"


def frame(txnr, command, data=b""):
    return b"%d %s %d%s\n" % (txnr, command, len(data), b" " + data if data else b"")


class Session:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.offers = None
        self.records = []    # (txnr, data), as they came
        self.closed = False  # it was said close to
        self.ended = False
        self.lock = threading.Lock()

    def send(self, data):
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError:
            pass

    def ok(self, txnr):
        with self.server.lock:
            self.server.taken.append(self.records[txnr - 2][1])
        self.send(frame(txnr, b"rsp", b"200 OK"))

    def no(self, txnr, words=b"500 no"):
        self.send(frame(txnr, b"rsp", words))

    def hang_up(self):
        self.ended = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def reset(self):
        """What has not been read is lost, as when a machine goes down."""
        self.ended = True
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class RelpServer(threading.Thread):
    def __init__(self, port=0, behave=None, opens=None, context=None):
        super().__init__(daemon=True)
        self.behave = behave or (lambda session, txnr, data: session.ok(txnr))
        self.opens = opens or (lambda session, txnr: session.send(frame(txnr, b"rsp", b"200 OK\n" + OFFERS)))
        self.context = context
        self.sessions, self.taken, self.lock = [], [], threading.Lock()
        self.over = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.listener.settimeout(0.05)
        self.port = self.listener.getsockname()[1]
        started.append(self)
        self.start()

    def run(self):
        while not self.over:
            try:
                sock, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                break
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        if self.context is not None:
            try:
                sock = self.context.wrap_socket(sock, server_side=True)
            except OSError:
                return
        session = Session(self, sock)
        self.sessions.append(session)
        data = b""
        try:
            while not session.ended and not self.over:
                sock.settimeout(0.05)
                try:
                    got = sock.recv(1 << 16)
                except TimeoutError:
                    continue
                sock.settimeout(None)
                if not got:
                    break
                data = self.take(session, data + got)
        except OSError:
            pass
        session.ended = True
        sock.close()

    def take(self, session, data):
        """Handle the frames at the beginning of ${data}; returns the rest."""
        at = 0
        while not session.ended and not self.over:
            head = re.match(rb"(\d{1,9}) ([a-z]{1,32}) (\d{1,9})( |\n)", data[at:at + 60])
            if head is None:
                assert len(data) - at < 60, f"no RELP: {data[at:at + 60]!r}"
                break
            length = int(head[3])
            assert (length == 0) == (head[4] == b"\n"), f"a space and data belong together: {head[0]!r}"
            end = at + head.end() + length + (1 if length else 0)
            if len(data) < end:
                break
            assert data[end - 1:end] == b"\n"
            self.handle(session, int(head[1]), head[2], data[at + head.end():at + head.end() + length])
            at = end
        return data[at:]

    def handle(self, session, txnr, command, data):
        if command == b"open":
            assert txnr == 1 and session.offers is None
            session.offers = data
            self.opens(session, txnr)
        elif command == b"syslog":
            assert session.offers is not None and txnr == len(session.records) + 2, "transactions are not numbered in order"
            session.records.append((txnr, data))
            self.behave(session, txnr, data)
        elif command == b"close":
            session.closed = True
            session.send(frame(txnr, b"rsp") + frame(0, b"serverclose"))
            session.hang_up()
        else:
            raise AssertionError(f"{command} of a client")

    def wait_taken(self, count, timeout=30):
        wait(lambda: len(self.taken) >= count, lambda: f"{count} records, {len(self.taken)} were taken", timeout)
        return self.taken

    def wait_sessions(self, count, timeout=15):
        wait(lambda: len(self.sessions) >= count, f"{count} sessions", timeout)
        return self.sessions[count - 1]

    def die(self):
        """As if the program had been killed."""
        self.over = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.join()
        self.listener.close()
        for session in self.sessions:
            session.hang_up()
        return self.port

    def stop_now(self):
        if not self.over:
            self.die()
