#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""stomp_peer.py - what tests and benches do with python3-stomp, a client that is not ours.

    stomp_peer.py --port PORT --user NAME --password TEXT COMMAND

    login            connects and leaves: "connected SERVER"; exit 1: "error MESSAGE", then the body
    send DEST        a record for each line of input, with a receipt each; "confirmed N SECONDS"
    beat DEST N      idle until the server has sent N heart-beats, then one record
    drain QUEUE      everything that waits in RabbitMQ's queue: "RECORD-ID <tab> BODY", a line each

Everything has a deadline (--seconds); past it the exit status is 3.
"""
import argparse
import os
import sys
import threading
import time

import stomp

QUORUM = {"x-queue-type": "quorum", "durable": "true", "auto-delete": "false"}


class Listener(stomp.ConnectionListener):
    """Gathers what comes, and wakes who waits for it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.server = self.error = None
        self.receipts = self.beats = 0
        self.messages = []
        self.lost = False

    def note(self, **news):
        with self.changed:
            for name, value in news.items():
                setattr(self, name, value)
            self.changed.notify_all()

    def on_connected(self, frame):
        self.note(server=frame.headers.get("server", "?"))

    def on_error(self, frame):
        self.note(error=(frame.headers.get("message", ""), text(frame.body)))

    def on_receipt(self, frame):
        self.note(receipts=self.receipts + 1)

    def on_heartbeat(self):
        self.note(beats=self.beats + 1)

    def on_disconnected(self):
        self.note(lost=True)

    def on_message(self, frame):
        with self.changed:
            self.messages.append((frame.headers.get("record-id", "-"), text(frame.body)))
            if self.messages[-1][0] == "end" or len(self.messages) % 1000 == 0:
                self.changed.notify_all()

    def wait(self, condition, seconds, what):
        with self.changed:
            if not self.changed.wait_for(lambda: condition() or self.error or self.lost, seconds):
                die(3, f"not within {seconds} s: {what}")
        if not condition():
            die(1, f"error {self.error[0]}\n{self.error[1]}" if self.error else f"lost before: {what}")


def text(body):
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else body


def die(status, why):
    print(why, flush=True)
    os._exit(status)  # the library's threads do not keep us


def connect(options, beats=(0, 0)):
    listener = Listener()
    connection = stomp.Connection12(
        [(options.host, options.port)], heartbeats=beats, vhost=options.vhost,
        reconnect_attempts_max=1, auto_decode=False)
    connection.set_listener("", listener)
    try:
        connection.connect(options.user, options.password, wait=False)
    except stomp.exception.StompException as error:
        die(1, f"no connection: {type(error).__name__} {error}")
    listener.wait(lambda: listener.server, options.seconds, "CONNECTED")
    return connection, listener


def leave(options, connection, listener):
    before = listener.receipts
    connection.disconnect(receipt="farewell")
    listener.wait(lambda: listener.receipts > before, options.seconds, "the receipt of DISCONNECT")


def login(options):
    connection, listener = connect(options)
    print("connected", listener.server)
    leave(options, connection, listener)


def send(options):
    connection, listener = connect(options)
    headers = dict(QUORUM) if options.quorum else {}
    if not options.transient:
        headers["persistent"] = "true"
    began, count = time.monotonic(), 0
    for line in sys.stdin.buffer:
        count += 1
        headers.update({"receipt": str(count)})
        if options.sender:
            headers["record-id"] = f"{options.sender}-{count}"
        connection.send(options.destination, line.rstrip(b"\n"), headers=headers)
        if count - listener.receipts >= options.window:
            listener.wait(lambda: count - listener.receipts < options.window, options.seconds, "receipts")
    listener.wait(lambda: listener.receipts >= count, options.seconds, f"receipts of {count} records")
    print("confirmed", listener.receipts, f"{time.monotonic() - began:.6f}")
    leave(options, connection, listener)


def beat(options):
    connection, listener = connect(options, beats=(options.every_ms, options.every_ms))
    listener.wait(lambda: listener.beats >= options.count, options.seconds, f"{options.count} heart-beats")
    connection.send(options.destination, b"after idling", headers={"receipt": "1"})
    listener.wait(lambda: listener.receipts >= 1, options.seconds, "a receipt")
    print("beats", listener.beats)
    leave(options, connection, listener)


def drain(options):
    """The queue is first in, first out, and we are alone: what we put last comes last."""
    connection, listener = connect(options)
    queue = "/amq/queue/" + options.queue
    connection.send(queue, b"", headers={"record-id": "end", "persistent": "true", "receipt": "1"})
    listener.wait(lambda: listener.receipts >= 1, options.seconds, "the receipt of the last record")
    connection.subscribe(queue, id="1", ack="auto")
    listener.wait(lambda: listener.messages and listener.messages[-1][0] == "end", options.seconds,
                  f"all of the queue ({len(listener.messages)} came)")
    for record, body in listener.messages[:-1]:
        print(record, body, sep="\t")
    leave(options, connection, listener)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--vhost")
    parser.add_argument("--seconds", type=float, default=60)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("login").set_defaults(run=login)
    one = commands.add_parser("send")
    one.set_defaults(run=send)
    one.add_argument("destination")
    one.add_argument("--quorum", action="store_true")
    one.add_argument("--transient", action="store_true", help="not persistent")
    one.add_argument("--sender")
    one.add_argument("--window", type=int, default=1000)
    one = commands.add_parser("beat")
    one.set_defaults(run=beat)
    one.add_argument("destination")
    one.add_argument("count", type=int)
    one.add_argument("--every-ms", type=int, default=200)
    one = commands.add_parser("drain")
    one.set_defaults(run=drain)
    one.add_argument("queue")
    options = parser.parse_args()
    options.run(options)
    sys.stdout.flush()
    os._exit(0)


main()
