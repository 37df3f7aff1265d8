"""Three nats-servers with JetStream, and a look into a stream: of the clients' protocol what that takes."""

import json
import re
import socket

from netlab import Lab, Process

SERVER = "/usr/sbin/nats-server"
# The suite's loopback is its own.
CLIENT_PORTS = (4222, 4223, 4224)
ROUTES = ", ".join(f'"nats://127.0.0.1:{port + 1000}"' for port in CLIENT_PORTS)


class Cluster:
    """Ends with its lab."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.servers: dict[int, Process] = {}
        for port in CLIENT_PORTS:
            self.start(port)

    def start(self, port: int) -> None:
        config = self.lab.directory / f"nats-{port}.conf"
        config.write_text(
            f'server_name: n{port}\nlisten: "127.0.0.1:{port}"\n'
            f'jetstream {{ store_dir: "{self.lab.directory}/nats-{port}", max_file_store: 1GB, max_memory_store: 64MB }}\n'
            f'cluster {{ name: weir, listen: "127.0.0.1:{port + 1000}", routes: [{ROUTES}] }}\n'
        )
        self.servers[port] = self.lab.start(f"nats-{port}", SERVER, "-c", config)

    def kill(self, port: int) -> None:
        self.servers.pop(port).kill()

    def subjects(self, stream: str) -> dict[str, int]:
        """How many messages the stream has of each subject."""
        answer = self.call(f"$JS.API.STREAM.INFO.{stream}", {"subjects_filter": ">"})
        return answer["state"].get("subjects", {})

    def call(self, subject: str, request: dict) -> dict:
        """What JetStream answers."""
        body = json.dumps(request)
        with socket.create_connection(("127.0.0.1", next(iter(self.servers))), timeout=20) as link:
            link.sendall(
                f'CONNECT {{"verbose":false}}\r\nSUB answer 1\r\nPUB {subject} answer {len(body)}\r\n{body}\r\n'.encode()
            )
            said = b""
            while not (head := re.search(rb"MSG answer 1 (\d+)\r\n", said)) or len(said) < head.end() + int(head[1]):
                more = link.recv(65536)
                if not more:
                    raise RuntimeError(f"nats-server closed the connection: {said.decode(errors='replace')}")
                said += more
        return json.loads(said[head.end() : head.end() + int(head[1])])
