"""A RELP peer that dies, for crash.py: what it has answered with 200 is all that counts as having come.

It is that of relp.py with the outside of mortal.Mortal. It answers at once, or slowly, or what came together in any order; it stops in the
middle, refuses a record once, and when it dies, what it has read and not answered is gone with it.
"""
import signal
import socket
import threading
import time

import harness
import relp


class MortalRelp(relp.RelpServer):
    def __init__(self, take, rng):
        self.told, self.rng = take, rng
        self.step, self.pause = 1 << 16, 0  # a step of less: answers in any order
        self.deaths = self.refusals = 0
        self.refuse_next = self.stopped = False
        self.held = {}  # by session: what came together and has no answer yet
        super().__init__(behave=self.behave_so)
        harness.started.remove(self)

    def __str__(self):
        alive = [s for s in self.sessions if not s.ended]
        return f"{'listens' if self.listener else 'absent'}{', stopped' if self.stopped else ''}; {len(alive)} of {len(self.sessions)} sessions"

    def run(self):
        while not self.over:
            listener = self.listener
            if listener is None:
                time.sleep(0.01)
                continue
            try:
                sock, _ = listener.accept()
            except OSError:
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    # ---- answers

    def behave_so(self, session, txnr, data):
        while self.stopped and not session.ended and not self.over:
            time.sleep(0.005)
        time.sleep(self.pause)
        if self.refuse_next:
            self.refuse_next = False
            self.refusals += 1
            session.no(txnr)
        elif self.step < 1 << 16:
            self.held.setdefault(session, []).append((txnr, data))
        else:
            self.answer(session, txnr, data)

    def take(self, session, data):
        rest = super().take(session, data)
        held = self.held.pop(session, [])
        self.rng.shuffle(held)
        for txnr, line in held:
            self.answer(session, txnr, line)
        return rest

    def answer(self, session, txnr, data):
        """Counts before the answer is under way: one that is lost there makes a repetition, never a loss."""
        if session.ended:
            return
        self.told([data])
        session.records[txnr - 2] = None  # this may go on for hours
        session.send(relp.frame(txnr, b"rsp", b"200 OK"))

    # ---- what happens to it

    def kill(self, reset, freeze):
        for session in [s for s in self.sessions if not s.ended]:
            self.deaths += 1
            try:
                session.reset() if reset else session.hang_up()
            except OSError:  # weir was first
                pass
        self.sessions = [s for s in self.sessions if not s.ended]

    def absent(self, yes, freeze):
        if yes and self.listener is not None:
            listener, self.listener = self.listener, None
            listener.shutdown(socket.SHUT_RDWR)  # at once, also while accept() waits
            listener.close()
        elif not yes and self.listener is None:
            self.listener = self.made(self.port)

    @staticmethod
    def made(port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen(16)
        s.settimeout(0.05)
        return s

    def signal(self, number):
        """SIGSTOP and SIGCONT, as if it were a process."""
        self.stopped = number == signal.SIGSTOP

    def stop_now(self):
        self.over = True
        self.join()
        self.kill(True, None)
        if self.listener is not None:
            self.listener.close()
