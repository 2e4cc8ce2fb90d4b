#!/usr/bin/env python3
"""netns_forward.py PID PORT TARGET: listens on 127.0.0.1:PORT in the network namespace of process PID, and joins each
connection to 127.0.0.1:TARGET of this one. Prints a line once it listens; ends with SIGTERM.

For a sandbox without a network: it reaches this one port and nothing else. Run as the user whose container it is, with
the process id of a process in it. Standard library only.
"""

import ctypes
import os
import socket
import sys
import threading

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000


def listener_of(pid, port):
    """A socket belongs to the namespace that it was made in, wherever it is used: a child makes it there."""
    ours, childs = socket.socketpair()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            enter(pid, "user", CLONE_NEWUSER)
            enter(pid, "net", CLONE_NEWNET)
            made = socket.create_server(("127.0.0.1", port))
            socket.send_fds(childs, [b"."], [made.fileno()])
            status = 0
        except OSError as error:
            print(f"netns_forward: process {pid}, port {port}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    childs.close()
    _, files, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    if not files:
        sys.exit(1)
    return socket.socket(fileno=files[0])


def enter(pid, kind, flag):
    # os.setns is there from Python 3.12 on
    libc = ctypes.CDLL(None, use_errno=True)
    namespace = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    if libc.setns(namespace, flag) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.close(namespace)


def join(one, other):
    """Both directions; each is closed on its own, so that a half-closed connection stays one."""
    threads = [threading.Thread(target=pump, args=pair, daemon=True) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.close()
    other.close()


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # one side is gone: so is the connection
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(listener, target):
    while True:
        accepted, _ = listener.accept()
        try:
            forward = socket.create_connection(("127.0.0.1", target))
        except OSError:
            accepted.close()
            continue
        threading.Thread(target=join, args=(accepted, forward), daemon=True).start()


def main(argv):
    if len(argv) != 3 or not all(word.isascii() and word.isdigit() for word in argv):
        sys.exit(__doc__)
    pid, port, target = map(int, argv)
    listener = listener_of(pid, port)
    print(f"listening on port {port}", flush=True)
    serve(listener, target)


if __name__ == "__main__":
    main(sys.argv[1:])
