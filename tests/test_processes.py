"""Difficulty, plans and confusion counts over two processes of two devices, joined on loopback."""

import pathlib
import socket
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).with_name("two_processes.py")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_two_processes_of_two_devices_give_the_bits_of_one_device():
    port = str(free_port())
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, port, "2", str(i)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
        assert output.splitlines()[-1] == "equal"
