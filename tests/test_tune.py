"""`edged tune`: what a simulated board is found to be, what real workers cost, that nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ladders import ladder

from edged.board.simulated import SPECS
from edged.config.loading import load
from edged.config.shape import Measure, Model, Pipeline, Synthetic
from edged.errors import ConfigError, RefusedError, UnavailableError
from edged.governor import profile
from edged.governor.profile import Cost
from edged.tune import advice, fit, stated, writing
from edged.tune.advice import Pick
from edged.tune.bench import Candidate, Here, Measured, Second, Seconds
from edged.tune.course import Course, Outcome
from edged.tune.fit import Sample

CONFIG = """\
[daemon]
state_dir = "state"
runtime_dir = "run"

[models.frugal]
file = "builtin:activity"

[pipelines.street]
source = { kind = "synthetic" }
"""


def measured(name: str, minutes: float = 4.0) -> Outcome:
    return Course(stated.There(name), stated.candidates(), minutes, lambda *_: None).run()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "edged.toml").write_text(CONFIG)
    return tmp_path


def edged(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        timeout=120,
    )


# --- simulated boards


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_simulated_board_is_found_to_be_what_it_is(name: str) -> None:
    spec, found = SPECS[name], measured(name, 10.0)
    assert found.fit is not None
    assert found.fit.error < 1.0
    if not spec.fan and spec.cap is None:
        assert found.fit.prior.fast_gain == pytest.approx(spec.fast[0] * spec.dynamic, rel=0.3)
        assert found.fit.prior.slow_gain == pytest.approx(spec.slow[0] * spec.dynamic, rel=0.3)
    assert found.profile.board == f"simulated:{name}"
    assert len(found.profile.costs) == len(stated.LADDER) * 4
    hottest = max(one.temperature or 0.0 for one in found.samples)
    assert hottest <= spec.soft


def test_the_stated_costs_are_the_table_on_a_pi_4() -> None:
    costs = {(one.model, one.threads): one for one in measured("pi4-heatsink").profile.costs}
    for name, (one, four, _) in stated.LADDER.items():
        assert costs[name, 1].latency == pytest.approx(one / 1000)
        assert costs[name, 4].latency == pytest.approx(four / 1000)
        assert costs[name, 4].cost == pytest.approx(4 * four / 1000)


def test_a_meter_tells_watts() -> None:
    found, spec = measured("pi4-heatsink,meter").profile, SPECS["pi4-heatsink"]
    assert (found.idle, found.dynamic) == pytest.approx((spec.idle, spec.dynamic), rel=0.1)
    without = measured("pi4-heatsink").profile
    assert (without.idle, without.dynamic) == (None, None)


def test_a_hot_board_is_refused() -> None:
    bench = stated.There("pi4-bare")
    while bench._board.temperature < 70.0:
        bench._board.advance(1.0)
    with pytest.raises(UnavailableError, match="warm already, and throttles at 80"):
        Course(bench, stated.candidates(), 4.0, lambda *_: None).run()


def test_it_ends_at_the_abort_temperature() -> None:
    found = measured("pi4-bare", 30.0)
    assert max(one.temperature or 0.0 for one in found.samples) < 78.5
    assert any("full load brought it to 78 °C" in note for note in found.notes)


def test_it_keeps_to_its_time() -> None:
    for minutes in (1.0, 4.0):
        samples = measured("pi5-cooler", minutes).samples
        assert samples[-1].time - samples[0].time <= minutes * 60 + 2


def test_no_such_board_says_which_there_are() -> None:
    with pytest.raises(ConfigError) as error:
        stated.There("pi9")
    assert "pi4-bare" in error.value.message + error.value.hint


# --- the fit


def test_what_hardly_changed_tells_nothing() -> None:
    still = [Sample(float(at), 50.0 + at % 2, 0.1) for at in range(200)]
    assert fit.fitted(still) is None
    assert fit.fitted(still[:5]) is None
    assert fit.watts([Sample(float(at), None, 0.1, 2.0) for at in range(200)]) is None


@settings(deadline=None, max_examples=8)
@given(st.floats(15, 60), st.floats(2, 12), st.floats(150, 700), st.floats(2, 25), st.integers(0, 2**16))
def test_two_masses_are_found_again(
    slow_gain: float, fast_gain: float, slow: float, fast: float, seed: int
) -> None:
    """A quarter of an hour of steps, with a sensor that jumps by half a degree."""
    case, die, samples = 40.0, 0.0, []
    for at in range(900):
        load = 0.0 if at < 10 else 1.0 if at < 600 else 0.3
        case += (40.0 + slow_gain * load - case) / slow
        die += (fast_gain * load - die) / fast
        jump = ((at * 7919 + seed) % 100) / 100 - 0.5
        samples.append(Sample(float(at), case + die + jump, load))
    found = fit.fitted(samples)
    assert found is not None
    whole = found.prior.slow_gain + found.prior.fast_gain
    assert whole == pytest.approx(slow_gain + fast_gain, rel=0.15, abs=1.5)
    assert found.error < 1.0


# --- the advice


def cost(model: str, threads: int, latency: float, work: float | None = None) -> Cost:
    return Cost(model, f"{model}.tflite", threads, work or latency * threads, latency)


def test_a_ladder_is_what_no_other_model_beats() -> None:
    costs = [cost("a", 1, 0.8), cost("b", 1, 0.4), cost("c", 1, 0.5), cost("d", 1, 0.38), cost("e", 1, 0.1)]
    qualities = {"a": 30.0, "b": 27.0, "c": 25.0, "d": 24.0, "e": 10.0, "f": 50.0, "g": 0.0}
    found = advice.advised([*costs, cost("g", 1, 0.1)], qualities, {"f": "it holds what nobody knows"})
    assert [one.model for one in found.rungs] == ["a", "b", "e"]
    why = dict(found.dropped)
    assert why["c"] == "it is dearer than b, which is better"
    assert why["d"] == "it is hardly cheaper than b, which is better"
    assert why["f"] == "it holds what nobody knows"
    assert "quality" in why["g"]


def test_threads_are_taken_as_far_as_they_bring_something() -> None:
    found = advice.pick(
        "a", [cost("a", 1, 1.0), cost("a", 2, 0.55), cost("a", 3, 0.52), cost("a", 4, 0.45)], 1.0
    )
    assert (found.threads, found.latency, found.cost) == (4, 0.45, 1.0)
    assert advice.pick("a", [cost("a", 1, 1.0), cost("a", 2, 0.95)], 1.0).threads == 1


# --- real workers


class Brief(Here):
    """The machine under the tests, whose heat and load are not ours to judge."""

    def _look(self, planned: float) -> Second:
        second = super()._look(planned)
        return Second(type(second.vitals)(time=second.vitals.time, power=2.0 + planned), planned)


def candidate(model: Model, name: str = "m", quality: float = 1.0) -> Candidate:
    return Candidate(name, model, quality, Pipeline(source=Synthetic(), measures=(Measure(kind="presence"),)))


def followed(seconds: Seconds) -> Measured:
    while True:
        try:
            next(seconds)
        except StopIteration as end:
            result: Measured = end.value
            return result


def test_the_bundled_model_is_measured_by_a_real_worker() -> None:
    bench = Brief()
    found = followed(bench.measure(candidate(Model(file="builtin:activity")), 1, 1.0))
    bench.close()
    assert found.refused == ""
    assert found.frames > 10
    assert 0.0 < found.cost < 1.0
    assert 0.0 < found.latency < 1.0


def test_dearer_models_cost_more(shared: Path) -> None:
    bench = Brief()
    models = [shared / "models" / f"mobilenet_{one}_224_quant.tflite" for one in ("v2_1.0", "v1_0.25")]
    dear, cheap = (followed(bench.measure(candidate(Model(file=str(one))), 1, 1.0)) for one in models)
    bench.close()
    assert dear.cost > 2 * cheap.cost


def test_what_cannot_do_the_job_is_told_of(shared: Path) -> None:
    broken = candidate(Model(file=str(shared / "models" / "model_invoking_error.tflite")), "broken", 2.0)
    works = candidate(Model(file="builtin:activity"), "works")
    bench = Brief()
    found = Course(bench, (broken, works), 0.5, lambda *_: None)
    found._length = 10.0
    outcome = found.run()
    assert "fake-op-double" in outcome.refused["broken"]
    assert {one.model for one in outcome.profile.costs} == {"works"}
    with pytest.raises(RefusedError, match="no model of this pipeline runs: broken"):
        Course(bench, (broken,), 0.5, lambda *_: None).run()
    bench.close()


def workers_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def running(home: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "edged", "tune", "--minutes", "2"],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_ctrl_c_ends_all_that_it_started(running: subprocess.Popen[str], home: Path) -> None:
    deadline = time.monotonic() + 60
    while not (workers := workers_of(running.pid)):
        if running.poll() is not None and "warm already" in (running.stderr or sys.stdin).read():
            pytest.skip("this machine is too hot")
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=30)
    assert (running.returncode, out, said.strip()) == (130, "", "stopped: nothing was stored")
    assert not any(Path(f"/proc/{one}").exists() for one in workers)
    assert not (home / "state").exists(), "nothing is left behind"


# --- the command


def test_the_command_shows_a_simulated_board(home: Path) -> None:
    done = edged(home, "tune", "--simulated", "pi4-bare")
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("simulated:pi4-bare, 4 cores", 'ladder = ["efficientdet-lite1", ', "nothing was stored"):
        assert text in done.stdout
    said = " ".join(done.stdout.split())
    assert "without efficientdet-lite0: it is dearer than mobiledet, which is better" in said
    assert list(home.iterdir()) == [home / "edged.toml"]


def test_it_tells_programs_the_same(home: Path) -> None:
    told = json.loads(edged(home, "tune", "--simulated", "pi5-cooler,meter", "--json").stdout)
    assert told["profile"]["prior"]["slow"] > told["profile"]["prior"]["fast"]
    assert told["recommended"][0]["model"] == "efficientdet-lite2"
    assert (told["stored"], told["applied"]) == (None, False)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--simulated", "pi9"), 2, "pi9"),
        (("--simulated", "pi4-bare", "--apply"), 2, "--apply is for what was measured here"),
        (("--pipeline", "yard"), 2, 'there is no pipeline "yard"'),
        (("--minutes", "0.1"), 2, "minutes"),
    ],
)
def test_what_cannot_be_is_said_at_once(home: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = edged(home, "tune", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_directory_that_may_not_be_written_is_told_of_before_anything_is_measured(home: Path) -> None:
    (home / "state").write_text("a file is in the way")
    done = edged(home, "tune")
    assert done.returncode == 4
    assert "sudo edged tune" in done.stderr


def test_it_measures_stores_and_the_governor_reads_it(home: Path) -> None:
    done = edged(home, "tune", "--minutes", "0.5", "--json")
    if "warm already" in done.stderr:
        pytest.skip("this machine is too hot")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    config = load(home / "edged.toml")
    kept = profile.load(config.daemon.state_dir, profile.here())
    assert kept is not None
    assert kept.costs == tuple(Cost(**one) for one in told["profile"]["costs"])
    assert kept.times("activity", "builtin:activity").keys() == {1}
    assert kept.cores == len(os.sched_getaffinity(0))
    assert [one["model"] for one in told["recommended"]] == ["activity"]
    assert "quality" in told["dropped"]["frugal"]


LADDER = """\
[daemon]
state_dir = "state"
runtime_dir = "run"

[models.big]
file = "judge256.tflite"
decoder = "classifier"
labels = ["dark", "bright"]

[models.small]
file = "judge32.tflite"
decoder = "classifier"
labels = ["dark", "bright"]

[models.lost]
file = "nowhere.tflite"

[pipelines.street]
source = { kind = "synthetic" }
model = "small"
rate = 10
measures = [{ kind = "presence", labels = ["bright"] }]
"""


@pytest.fixture
def laddered(tmp_path: Path) -> Path:
    (tmp_path / "edged.toml").write_text(LADDER)
    ladder(tmp_path, 256, 32)
    return tmp_path


def merged(tables: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    for key, value in more.items():
        tables[key] = merged(tables.get(key, {}), value) if isinstance(value, dict) else value
    return tables


RATED = LADDER.replace("[models.big]", "[models.big]\nquality = 2").replace(
    "[models.small]", "[models.small]\nquality = 1"
)


def test_what_it_prints_is_what_it_writes_and_is_a_config(laddered: Path) -> None:
    """Of a real ladder; a file that is not there is told of and spoils nothing."""
    path = laddered / "edged.toml"
    path.write_text(RATED)
    done = edged(laddered, "tune", "--minutes", "0.5", "--apply")
    if "warm already" in done.stderr:
        pytest.skip("this machine is too hot")
    assert done.returncode == 0, done.stderr
    assert "without lost: " in done.stdout and "the ladder is in the config now" in done.stdout
    block = done.stdout.partition("tables have now:")[2].partition("without")[0]
    pasted = tomllib.loads("\n".join(line.strip() for line in block.splitlines()))
    assert pasted["pipelines"]["street"] == {"model": "big", "ladder": ["small"]}
    said, written = edged(laddered, "check"), load(path)
    assert (said.returncode, said.stdout.splitlines()[2].strip()[:19]) == (0, "ladder big -> small")
    path.write_bytes(tomli(merged(tomllib.loads(RATED), pasted)))
    assert edged(laddered, "check").returncode == 0
    assert load(path) == written


def tomli(tables: dict[str, Any]) -> bytes:
    """As TOML: an inline table of JSON's values is one, but for its colons."""

    def plain(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {plain(one)}" for key, one in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(map(plain, value)) + "]"
        return json.dumps(value)

    return "\n".join(f"{key} = {plain(value)}" for key, value in tables.items()).encode()


def test_a_model_that_is_not_there_is_told_of_at_once(laddered: Path) -> None:
    (laddered / "edged.toml").write_text(
        LADDER.replace('model = "small"', 'model = "lost"').replace("judge", "no")
    )
    done = edged(laddered, "tune", "--minutes", "0.5")
    assert (done.returncode, done.stdout) == (3, "")
    assert "no model of this pipeline runs: lost: " in done.stderr and "nowhere.tflite" in done.stderr
    assert not (laddered / "state").exists()


def test_without_a_config_it_says_so(tmp_path: Path) -> None:
    if Path("/etc/edged/edged.toml").exists():
        pytest.skip("edged is installed here, so there is a config")
    done = edged(tmp_path, "tune")
    assert (done.returncode, done.stdout) == (2, "")
    assert "config" in done.stderr


# --- into the config

RUNGS = (Pick("big", 4, 3.0, 1.0, 0.3), Pick("mid", 2, 2.0, 0.5, 0.2), Pick("small", 1, 1.0, 0.1, 0.1))
LAID_OUT = """\
# mine
[models.big] # the best
file = "big.tflite"
threads = 2   # of four

[models.mid]
file = "mid.tflite"

[models.small]
file = "small.tflite"

[pipelines.street]
source = { kind = "synthetic" }
model = "mid"  # for now
rate = 5
"""


def test_a_ladder_is_written_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "edged.toml"
    path.write_text(LAID_OUT)
    path.chmod(0o640)
    assert writing.write(path, "street", RUNGS)
    after = path.read_text()
    pipeline = load(path)
    assert pipeline.pipelines["street"].model == "big"
    assert pipeline.pipelines["street"].ladder == ("mid", "small")
    assert [pipeline.models[one].threads for one in ("big", "mid", "small")] == [4, 2, 1]
    kept = [line for line in LAID_OUT.splitlines() if not line.startswith(("threads", "model ="))]
    assert [line for line in after.splitlines() if line in kept] == kept
    assert path.stat().st_mode & 0o777 == 0o640
    assert not writing.write(path, "street", RUNGS)
    assert path.read_text() == after
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        LAID_OUT.replace("rate = 5", "ladder = [\n  'small',\n]"),
        "models = { big = { file = 'b' } }\npipelines.street = { source = { kind = 'synthetic' } }",
    ],
)
def test_what_is_laid_out_otherwise_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "edged.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        writing.write(path, "street", RUNGS)
    assert "by hand" in error.value.hint
    assert path.read_text() == text
