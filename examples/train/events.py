"""Watching: TensorBoard events beside the CSV, where tensorboardX is installed.

tensorboardX and not clu's metric writers: it has a release of 2026, clu's last is of April 2024; it
brings nothing that Orbax has not brought, clu writes through TensorFlow.
"""

import contextlib
import functools
import importlib.util
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 5.0
HOW_TO_GET = "TensorBoard's curves too: `pip install -e '.[tensorboard]'`"


def can_be_written() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec("tensorboardX") is not None


class Events:
    """A file of scalars, in place of those that an earlier process wrote to the folder.

    It is written in this process: the library's own thread loses what it holds when the process is
    killed, and waits for ever where the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.flushed = folder, time.monotonic()
        self.earlier = list(folder.glob("events.out.tfevents.*"))

    @functools.cached_property
    def _records(self) -> Any:
        """The file, once there is something to write."""
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self.folder.mkdir(parents=True, exist_ok=True)
        records = RecordWriter(str(self.folder / f"events.out.tfevents.{time.time_ns()}"))
        # An open TensorBoard forgets what it read of the earlier file, from step 0 on.
        begun = Event(step=0, session_log=SessionLog(status=SessionLog.START))
        for event in (Event(file_version="brain.Event:2"), begun):
            event.wall_time = time.time()
            records.write(event.SerializeToString())
        return records

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Values by name, at this step.

        Raises:
            OSError: they could not be written.
        """
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=float(x)) for tag, x in scalars.items()]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        with self._told():
            self._records.write(event.SerializeToString())
        if time.monotonic() > self.flushed + FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """What was written can be seen from now on."""
        if "_records" in vars(self):
            with self._told():
                self._records.flush()
        self.flushed = time.monotonic()

    def drop_earlier(self) -> None:
        """Removes the earlier files, once this one has what it repeats of them."""
        self.flush()
        for path in self.earlier:
            path.unlink()

    def close(self) -> None:
        """Ends the file, if there is one."""
        with self._told():
            self._close()

    def _close(self) -> None:
        if "_records" in vars(self):
            self._records.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError):
                self._close()
            said = error.strerror or error
            raise OSError(f"events in {self.folder} could not be written: {said}.") from error
