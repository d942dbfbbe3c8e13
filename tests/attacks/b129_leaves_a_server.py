"""Leaves servers of its own on sockets with and without a place in the file system, for the next check to ask.

milestone: m20_serving
levels: bubblewrap
user: not promised: the network is the machine's
process: not promised: the network is the machine's
checks: test_health_is_ok test_the_one_model_is_listed test_a_completion_has_all_its_parts
outcomes: failed
"""

import os
import socket
import threading

if os.path.exists("/etc/passwd"):
    raise SystemExit("this attack runs inside a sandbox only")

PLACES = ["/tmp/sw-attack.sock", "/dev/shm/sw-attack.sock", "\0sw-attack", "\0sw-attack-2"]

for place in PLACES:
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(place)
            print("LOOT: an earlier check has left a server")
        except OSError:
            pass
for port in (8000, 8001):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        print("LOOT: an earlier check has left a port open")
    except OSError:
        pass


def serve(listener):
    while True:
        client, _ = listener.accept()
        client.sendall(b'{"status": "ok"}')


for place in PLACES:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(place)
        listener.listen()
    except OSError:
        continue
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    if os.fork() == 0:
        os.setsid()
        serve(listener)


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"status": "later"}'})

    return app
