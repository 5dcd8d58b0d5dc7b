"""A mail server for the tests: takes letters on a free port, and writes each as one line of JSON.

The first line has the port. Addresses beginning with `later` are refused once with 451, and those
with `never` always, with 550. It ends with the one who started it, whose pipe is standard input.
"""

import asyncio
import collections
import email
import email.policy
import json
import os
import sys
import threading

from aiosmtpd.smtp import SMTP


def tell(line):
    print(json.dumps(line), flush=True)


class Handler:
    def __init__(self):
        self.tries = collections.Counter()

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tries[address] += 1
        if address.startswith("later") and self.tries[address] == 1:
            return f"451 4.7.1 <{address}>: come back later"
        if address.startswith("never"):
            return f"550 5.1.1 <{address}>: nobody is called this"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell({
            "recipients": envelope.rcpt_tos,
            "subject": str(message["subject"]),
            "text": message.get_content().replace("\r\n", "\n").rstrip("\n"),
            "headers": [[name, str(value)] for name, value in message.items()],
            "tries": self.tries,
        })
        return "250 OK"


async def serve():
    handler = Handler()

    def make():
        return SMTP(handler, hostname="mail.test", enable_SMTPUTF8=True)

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    tell({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
asyncio.run(serve())
