"""Keeps one worker per pipeline at work: exec, deadlines, replace, back off.

A worker is judged by *progress*: a tick must come. What dies, stalls or breaks a rule of the wall is killed
and replaced, later each time, and takes nothing else with it. What does so again and again is set aside.
"""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import suppress
from functools import partial

import msgspec

from edged import accelerator, quarantine, wall
from edged.accelerator import Accelerator
from edged.changes import Stamps, stamps
from edged.config.shape import Model, Pipeline, ends, recorded
from edged.demise import Demise, sentence
from edged.directions import Directions, Way
from edged.errors import WallError
from edged.feeds import Feed
from edged.hanging import Hanging
from edged.hearing import Hearing
from edged.inspector import Inspector
from edged.lender import Lender, device
from edged.nouns import Series
from edged.process import COMMAND, Process
from edged.quarantine import Quarantine
from edged.reactor import Action, Appointments, Reactor, Timer
from edged.standing import Listener, Standing
from edged.units import least_hold
from edged.view import reasons
from edged.vocabulary import Vocabulary
from edged.warden import Attempt

#: Seconds to the first inference: a Pi Zero needs 20 for a large model, a Coral 3 for its firmware.
START_DEADLINE = 90.0
#: Seconds in which another model is to be opened beside the work: the runtime keeps everything else waiting
#: for parts of that, for seconds on a Pi Zero.
SWITCH_DEADLINE = 30.0
LACKING_RETRY = 600.0  # seconds until a rung that could not be had is tried again, unless that cannot help
PROGRESS_DEADLINE = 4.0  # seconds without a tick, beyond four times what one inference takes
OVERSLEPT = 1.0  # seconds that a timer is late only when the daemon itself did not run
BACKOFF_FIRST, BACKOFF_MOST = 0.5, 60.0  # seconds; doubled at each failure in a row
HEALTHY = 60.0  # seconds at work that make an earlier failure forgotten
STOP_PATIENCE = 2.0  # seconds that a worker has for its last tick
STUCK = 5.0  # seconds after which a killed process hangs in the kernel: a driver that never returns
FAREWELL = 0.5  # seconds in which a worker that has given up is to end
BESIDE = 0.4  # seconds after which another worker is tried beside one that was killed and has not ended
RECESS = "its source is lent for an outline"
HANGS = "the worker hangs in the kernel and cannot be ended; only a reboot frees the device"


class Keeper(Standing):
    """Keeps one pipeline's worker."""

    def __init__(
        self,
        reactor: Reactor,
        listener: Listener,
        name: str,
        pipeline: Pipeline,
        models: tuple[Model, ...],
        series: tuple[Series, ...],
        feed: Feed | None = None,
    ) -> None:
        self._reactor, self._listener = reactor, listener
        self.name, self.pipeline, self.models, self.series = name, pipeline, models, series
        self.recorded = recorded(pipeline.source)
        self._feed = feed
        self.state, self.why, self.restarts = "starting", "", 0
        self.ready: wall.Ready | None = None
        self.tick: wall.Tick | None = None
        self._process: Process | None = None
        self._hearing: Hearing | None = None
        self._lacked: tuple[str, ...] = ()
        self._lender = Lender(reactor, device(pipeline.source), self._lend, partial(setattr, self, "why"))
        self._lost_at = 0.0
        self._inspector: Inspector
        self._vocabulary = Vocabulary()
        self._trouble: wall.Trouble | None = None
        self._failures, self._quarantine, self._broke_rule = 0, Quarantine(), False
        self._accelerator = Accelerator()
        self.progress = self._began = 0.0
        self.directions = Directions(models, pipeline.rate)
        self._examined = False
        #: The models' files as they were when it was exec'd.
        self.stamps: Stamps = ()
        self._appointments = Appointments(reactor)
        self._judgement = self._next_start = Timer(math.inf, self._judge)
        self._killed: float | None = None
        self._stopping = False
        self._recess: float | None = None  # seconds
        self._stop_by = math.inf
        self._gone: Action | None = None
        self.predecessor: Standing | None = None
        self.stuck = False
        self._hanging: Hanging | None = None

    def start(self) -> None:
        """Exec a worker."""
        self._appointments.cancel()
        now = time.monotonic()
        self.progress = self._began = now
        self._trouble, self.ready, self.state, self._killed = None, None, "starting", None
        self._broke_rule, self._recess = False, None
        self.stamps = stamps(self.pipeline, *self.models)
        way = self.directions.begin(now)
        self._inspector = self._inspecting(way, now)
        try:
            lent = self._feed.open() if self._feed is not None else -1
            process = self._process = Process(self._assignment(way), COMMAND, lent)
        except WallError as error:
            self._refuse(f"{error.message}: does its model have many labels? labels_file is for those")
            return
        except OSError as error:
            self._replace(f"no process can be started: {error.strerror}")
            return
        hears = (self._heard, self._has_broken_rule, self._has_broken_out, self._lender.stop)
        self._hearing = Hearing(self._reactor, process, self._inspector, *hears)
        self._reactor.on_readable(process, self._ended)
        self._pass_on()
        self._watch()

    def _assignment(self, way: Way) -> wall.Assignment:
        """What a worker that begins on this way gets to do."""
        return wall.Assignment(
            wall.PROTOCOL,
            self.name,
            self.pipeline,
            self.models,
            self.series,
            self._accelerator.because,
            *way,
            examine=not self._examined,
        )

    def _inspecting(self, way: Way, now: float) -> Inspector:
        """Who holds what it says against what it was asked."""
        source = self.pipeline.source
        return Inspector(
            self.series,
            self.recorded,
            now,
            tuple(one.threads for one in self.models),
            way[0],
            examine=not self._examined,
            rate=self.pipeline.rate,
            vocabulary=self._vocabulary,
            least_hold=least_hold(source),
            device=bool(device(source)),
            sights=reasons(self.pipeline),
            ends=ends(source),
        )

    def direct(self, directive: wall.Directive) -> None:
        """Pass on what is wanted from now on, to this worker and to those after it. One that does not read is
        one that has stalled, and the deadline is its judge.

        A rung that cannot be had now is not asked for: the worker stays on the one that it is on.
        """
        self.directions.want(directive, time.monotonic())
        self._pass_on()

    def _pass_on(self, stop: bool = False) -> None:
        """What is wanted, as far as it can be had, if that is news."""
        process, before = self._process, self.directions.told
        message = self.directions.message(time.monotonic())
        if process is None or not (stop or message):
            return
        if self.directions.told != before:
            self._inspector.directed(self.directions.told[0])
            self._watch()
        self._inspector.paced(self.directions.said.rate, time.monotonic())
        try:
            process.channel.send(msgspec.structs.replace(message or self.directions.said, stop=stop))
        except OSError:
            self.why = "the worker does not listen"

    def stop(self) -> None:
        """Ask for the last tick, and end the worker when it does not come. ``finish`` waits for that."""
        if self._stopping:
            return
        self._stopping = True
        self._appointments.cancel()
        if self.state in ("running", "lost"):
            self._pass_on(stop=True)
            self._stop_by = self._appointments.after(STOP_PATIENCE, self.kill).at
        else:
            self.kill()
        if self._process is None and self._feed is not None:
            self._feed.close()

    def recess(self, seconds: float) -> None:
        """Let go of the source: the worker tells its last second and ends, and another one starts so many
        seconds later, or at once when it is told 0.
        """
        if self._stopping or self.state in ("refused", "ended"):
            return
        self._recess, self.why = seconds, RECESS
        if self._process is None:
            self._rest(seconds)
        elif self.state == "running":
            self._pass_on(stop=True)
            self._appointments.after(STOP_PATIENCE, self.kill)
        else:
            self.kill()

    def _rest(self, seconds: float) -> None:
        self._appointments.cancel()
        self.state = "backoff"
        self._next_start = self._appointments.after(seconds, self.start)

    def retire(self, gone: Action) -> None:
        """Stop for good, and call ``gone`` once there is no worker: its last tick has been told by then."""
        self._gone = gone
        self.stop()
        if self._process is None:
            self._leave()

    def _leave(self) -> None:
        self.state = "ended"
        if self._feed is not None:
            self._feed.close()
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

    def kill(self) -> None:
        """End the process now."""
        self._appointments.cancel()
        if self._process is not None:
            self._process.kill()
            self._killed = time.monotonic()
            if self._stopping or self._hanging is not None:
                self._appointments.after(STUCK, self._tell_stuck)
            else:
                self._appointments.after(BESIDE, self._leave_behind)

    def _tell_stuck(self) -> None:
        """SIGKILL waits for a system call that never returns: a driver's fault, which no daemon can mend."""
        self.stuck, self.why = True, HANGS
        self._hangs(self.pid)

    def _leave_behind(self) -> None:
        """Try another worker beside the one that does not end: perhaps it needs nothing that this one holds.
        One and no more: each may end the same way, and none gives its memory back.
        """
        if (process := self._process) is None:
            return
        self._process = self._killed = None
        if self._hearing is not None:
            self._hearing.close()
        self._reactor.forget(process)
        self._hanging = Hanging(self._reactor, process, STUCK - BESIDE, self._hangs, self._is_gone)
        self._conclude(-signal.SIGKILL)

    def _hangs(self, pid: int) -> None:
        self._listener.changed(self, "worker-stuck", HANGS, worker_pid=pid)

    def _is_gone(self) -> None:
        self._hanging = None

    def _allowed(self) -> float:
        """Seconds that may pass without progress now."""
        if self.ready is None:
            return START_DEADLINE * len(self.models if not self._examined else self.models[:1])
        if self.directions.under_way:
            return SWITCH_DEADLINE
        return PROGRESS_DEADLINE + 4.0 * (self.tick.infer if self.tick else 0.0)

    def _watch(self) -> None:
        """Judge the worker when its deadline would be over: one timer, moved on only when it is due."""
        self._judgement.cancel()
        left = self.progress + self._allowed() - time.monotonic()
        self._judgement = self._appointments.after(max(0.05, left), self._judge)

    def _judge(self) -> None:
        now = time.monotonic()
        if now - self._judgement.at > OVERSLEPT:
            # We were stopped ourselves (a freezer, a debugger), and the worker perhaps too.
            self.progress = now
        waited = now - self.progress
        if waited >= self._allowed():
            self._break(f"no progress for {waited:.0f} s")
        else:
            self._watch()

    def _break(self, why: str, broke_rule: bool = False) -> None:
        """Give the worker up."""
        self.why, self._broke_rule = why, broke_rule
        self.kill()

    def _has_broken_rule(self, rule: str) -> None:
        """It is heard no longer, and what it said before counts."""
        self._break(f"it broke a rule of the wall: {rule}", broke_rule=True)
        self._listener.changed(self, "wall-broken", rule, reason=rule)

    def _has_broken_out(self, attempt: Attempt) -> None:
        """It tried what its sandbox forbids: the call waits, and never returns."""
        why = f"its worker tried `{attempt.name}`, which it may not"
        self._break(why, broke_rule=True)
        self._listener.changed(self, "worker-broke-out", why, call=attempt.name)

    def _heard(self, message: wall.Up) -> None:
        self.progress = time.monotonic()
        match message:
            case wall.Tick():
                self.tick = message
                self._listener.ticked(self, message)
                if (message.analysed or message.sight) and self.state == "lost":
                    self._sees_again()
            case wall.Lost():
                self._has_lost()
            case wall.Ready():
                self._came_up(message)
            case wall.Switched():
                self._switched(message)
            case wall.Declined():
                self._lacks(message.rung, sentence(message), message.final)
            case wall.Trouble():
                self._trouble = message
                # Unless a thread of it hangs, it has gone by then.
                self._appointments.after(FAREWELL, self.kill)
            case wall.Ended():
                self.state = "ended"

    def _has_lost(self) -> None:
        """It is blind until it is lent its device again; one that loses it too often is for its successor."""
        now = time.monotonic()
        if not self._lender.may(now):
            self._lend(-1)
            return
        if self.state != "lost":  # else it has gone again before it was seen
            self._lost_at = now
            self.state, self.why = "lost", f"the camera at {device(self.pipeline.source)} was unplugged"
            self._listener.changed(self, "source-lost", self.why)
        self._lender.seek()

    def _lend(self, descriptor: int) -> None:
        """Send it down, -1 for none. Who does not read has stalled, and the deadline is its judge."""
        if self._process is not None:
            with suppress(OSError):
                if descriptor < 0:
                    self._process.channel.send(wall.Lent())
                else:
                    self._inspector.lent()
                    self._process.channel.send_with(wall.Lent(), descriptor)
        if descriptor >= 0:
            os.close(descriptor)

    def _sees_again(self) -> None:
        """The first frames since it was lent its device."""
        self.state, self.why = "running", ""
        blind = round(time.monotonic() - self._lost_at, 1)
        self._listener.changed(self, "source-back", f"after {blind:g} s", blind_s=blind)

    def _switched(self, how: wall.Switched) -> None:
        """It works on another rung now."""
        self.directions.arrived(how.rung, how.threads)
        if self.ready is not None:
            self.ready = msgspec.structs.replace(
                self.ready, runtime=how.runtime, delegate=how.delegate, cpu_because=how.cpu_because
            )
        self._watch()

    def _lacks(self, rung: int, why: str, final: bool) -> None:
        """A rung cannot be had: said once, kept for the governor, and no matter to the work that goes on."""
        until = math.inf if final else time.monotonic() + LACKING_RETRY
        if self.directions.lack(rung, why, until):
            text = f"{self.called(rung)} cannot be had: {why}"
            self._listener.changed(self, "rung-lacking", text, rung=rung, reason=why)

    def _came_up(self, ready: wall.Ready) -> None:
        self.ready, self.state, self.why = ready, "running", ""
        self._examined = True
        self._watch()
        how = {"runtime": ready.runtime, "delegate": ready.delegate}
        self._listener.changed(self, "started", f"{ready.runtime} on {ready.delegate}", **how)
        self._say_lacking(ready.lacking)
        if ready.cpu_because and accelerator.wanted(self._at_stake):
            self._appointments.after(self._accelerator.next_try(), self._retry_tpu)

    def _say_lacking(self, lacking: tuple[str, ...]) -> None:
        """What its sandbox could not have of this kernel: once."""
        if lacking and lacking != self._lacked:
            self._lacked, words = lacking, " and ".join(lacking)
            self._listener.changed(self, "sandbox-lacking", f"no {words} on this kernel", lacking=words)

    def _retry_tpu(self) -> None:
        self._accelerator.because = ""
        self.why = accelerator.AGAIN
        self._pass_on(stop=True)

    def _ended(self) -> None:
        process = self._process
        if process is None:
            return
        if self._hearing is not None:
            self._hearing.finish()
        self._reactor.forget(process)
        status = process.reap()
        self._process = self._killed = None
        self.stuck = False
        self._appointments.cancel()
        self._conclude(status)

    def _conclude(self, status: int) -> None:
        """What to do now that the worker has ended."""
        end = Demise(status, self._trouble, self.why)
        of_rung = self._rung_is_to_blame(end)
        if self._stopping:
            self._leave()
        elif self._recess is not None:
            self._rest(self._recess)
        elif self.state == "ended":
            self._listener.changed(self, "ended", "the recording is over")
        elif end.final and not of_rung:
            self._refuse(str(end))
        elif self.why == accelerator.AGAIN or self._goes_on_afresh(end):
            self.start()
        else:
            if self._died_of_tpu(status):
                self._accelerator.blame(status)
                of_rung = True  # what is mended by doing without counts for nothing
            points = 0 if of_rung else quarantine.points(end.trouble, status, self._broke_rule)
            self._replace(str(end), points)

    def _goes_on_afresh(self, end: Demise) -> bool:
        """Whether it was asked for a rung that only a new worker can open."""
        return self.ready is not None and self.directions.under_way and end.afresh

    def _rung_is_to_blame(self, end: Demise) -> bool:
        """A worker that died on its way to another rung is replaced on the one before, and one that cannot
        begin on a cheaper rung begins on the dearest: then that rung is lacking.
        """
        if self._stopping or self.state == "ended" or self.why == accelerator.AGAIN:
            return False
        ready = self.ready is not None
        rung = self.directions.to_blame(ready, end.trouble)
        if rung is None or (ready and self._died_of_tpu(end.status)):
            return False
        if not ready:
            self.directions.fall_back()
        self._lacks(rung, str(end), final=end.trouble is not None)
        return True

    def _refuse(self, why: str) -> None:
        self.state, self.why = "refused", why
        self._listener.changed(self, "refused", why, reason=why)

    def _replace(self, why: str, points: int = 0) -> None:
        """Try another one later. ``points`` are what the failure counts, see ``quarantine``."""
        if self._hanging is not None:
            why += f"; the worker before it (process {self._hanging.pid}) has not ended yet"
        now = time.monotonic()
        self.restarts += 1
        if aside := self._quarantine.judge(now, points):
            self._set_aside(why, aside)
            return
        if now - self._began > HEALTHY:
            self._failures = 0
        wait = min(BACKOFF_MOST, BACKOFF_FIRST * 2**self._failures)
        self._failures += 1
        self.state, self.why = "backoff", why
        self._next_start = self._appointments.after(wait, self.start)
        how = {"reason": why, "wait_s": wait, "restarts": self.restarts}
        self._listener.changed(self, "replaced", f"{why}; a new worker in {wait:g} s", **how)

    def _set_aside(self, why: str, how: quarantine.Sentence) -> None:
        self._failures = 0
        self.state, self.why = "quarantined", quarantine.said(how, why)
        self._next_start = self._appointments.after(how.seconds, self.start)
        told = {"reason": why, "wait_s": how.seconds, "failures": how.failures}
        self._listener.changed(self, "quarantined", self.why, **told)

    def _died_of_tpu(self, status: int) -> bool:
        at_work = self.ready is not None and self.ready.delegate == "edgetpu"
        tries = self.ready is None or self.directions.under_way
        return self._accelerator.ended_it(status, at_work, self._at_stake if tries else None)
