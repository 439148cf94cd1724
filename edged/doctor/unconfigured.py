"""What a check says that needs pipelines, where there are none."""

from __future__ import annotations

from edged.doctor.case import Case
from edged.doctor.finding import Finding


def unconfigured(case: Case, so: str) -> Finding:
    """Without a config that can be read nothing is known of pipelines; with one there are none."""
    if case.config_error is not None or case.problems:
        return Finding("cannot tell", f"the config cannot be read, so {so}", fix="edged doctor config")
    return Finding("note", f"no pipeline is enabled, so {so}", fix="edged doctor config")
