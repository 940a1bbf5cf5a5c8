"""Two processes that join each other on loopback."""

import socket
import subprocess


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_two(command_of, *, environment=None, timeout=300):
    """What the processes of `command_of(port, i)`, i = 0 and 1, print; both must succeed."""
    port = free_port()
    processes = [
        subprocess.Popen(
            command_of(port, i),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs
