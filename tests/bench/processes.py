"""What processes used, from /proc."""

import os
from pathlib import Path

__all__ = ["cpu_seconds", "family", "peak_kib", "reset_peak", "resident_kib"]


def family(pid: int) -> list[int]:
    """Return *pid* and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that *pid* and its children use so far, in the resolution of the clock tick (10 ms)."""
    total = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    """Return the memory in use now, of *pid* and its children."""
    return sum(_figure(one, "VmRSS:") for one in family(pid))


def peak_kib(pid: int) -> int:
    """Return the largest memory in use since `reset_peak`, of *pid* and its children."""
    return sum(_figure(one, "VmHWM:") for one in family(pid))


def reset_peak(pid: int) -> None:
    """Begin anew for `peak_kib`."""
    for one in family(pid):
        Path(f"/proc/{one}/clear_refs").write_text("5")


def _figure(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))
