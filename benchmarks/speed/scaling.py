"""What more cores are expected to bring: a calculation from measured stages, not a measurement."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.networks import together

#: Numbers of cores that are calculated.
CORES = (4, 8, 16)


def serial_share(networks: list[dict[str, Any]], precision: str = "bf16") -> float | None:
    """Share s of the networks' time that a second thread does not shorten, by Amdahl's law: two
    threads take s + (1 - s) / 2 of the time of one. None where two were not measured.
    """
    one, two = together(networks, precision), together(networks, precision, "ms_two_threads")
    if one is None or two is None:
        return None
    return min(1.0, max(0.0, 2 * two / one - 1))


def frames_a_second(cores: int, row: dict[str, Any], serial: float) -> float:
    """Expected frames a second on so many cores.

    A frame takes as long as the processor time of all stages shared by the cores, or as the slowest
    stage, whichever is longer; the networks compute on all cores but one.

    Args:
        cores: of the processor.
        row: of the part ``threads`` with one thread: processor time and stages a frame.
        serial: of `serial_share`.
    """
    stages = dict(row["stages_ms"])
    networks = stages.pop("networks", 0.0) * (serial + (1 - serial) / max(1, cores - 1))
    slowest = max([networks, *stages.values()])
    return 1000 / max(row["cpu_ms_per_frame"] / cores, slowest)


def expected(rows: list[dict[str, Any]], networks: list[dict[str, Any]]) -> str:
    """A sentence of Markdown with the calculated frames a second; empty where they are unknown."""
    serial = serial_share(networks)
    if serial is None:
        return ""
    made = ", ".join(f"{frames_a_second(n, rows[0], serial):.0f} on {n}" for n in CORES)
    return (
        f"Expected frames a second, calculated and not measured: {made} cores. The networks scale "
        f"by Amdahl's law with a serial share of {serial:.0%} (from one and two threads in the "
        "table of networks), every other stage stays on one core, and its time on the clock, taken "
        "from the run with one thread, is an upper bound where cores were short."
    )
