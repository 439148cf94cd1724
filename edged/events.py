"""Everything that edged says happened: one table that the journal, its catalogue and the store follow.

A kind has a name (``journalctl EDGED_EVENT=replaced``), a MESSAGE_ID under which ``journalctl -x`` finds
its explanation, and a priority. The priority says who has to do something:

- *error*: numbers are being lost, or something is wrong that only the owner can mend.
- *warning*: something was lost or may be soon; edged mends it by itself if it can.
- *notice*: all is well, but the owner will want to find this again: what the box is and runs was changed.
- *info*: life.

``python -m edged.events`` prints systemd/edged.catalog, ``python -m edged.events table`` that of
docs/events.md. A new kind is a new row, with an id of its own (``systemd-id128 new``); a kind's name and id
never change, for somebody's filter is built on them.
"""

from __future__ import annotations

import sys
from typing import Final, NamedTuple


class Kind(NamedTuple):
    """One kind of event.

    ``because`` justifies the priority. ``fields`` are those that each such entry has beside the ones that all
    have; as EDGED_REASON for ``reason``. ``explanation`` and ``remedy`` may hold them, as ``@EDGED_REASON@``,
    and ``@EDGED_PIPELINE@`` if the event is a pipeline's.
    """

    name: str
    message_id: str
    priority: str
    because: str
    subject: str
    explanation: str
    remedy: str
    fields: tuple[str, ...] = ()


_TABLE: Final = (
    # --- the daemon's life
    Kind(
        "began",
        "af258b07eccd493dbca119e88ddd9dba",
        "info",
        "a start is what the owner or the boot asked for",
        "edged has begun",
        "The store is open and a worker was started for every enabled pipeline. Devices and models may "
        "take some seconds more; the event 'ready' tells when they are done.",
        "Nothing needs to be done. `edged status` shows what runs.",
    ),
    Kind(
        "ready",
        "8565f7cbd71e4a0496581546af9bcbae",
        "info",
        "what was asked for has happened",
        "edged is ready",
        "Every enabled pipeline has made its first inference, or it is said why it cannot.",
        "Nothing needs to be done. `edged status` shows each pipeline with its rate and, where it does "
        "not run, the reason.",
    ),
    Kind(
        "stopped",
        "bd2a6bc1a6044156901589daf5aac318",
        "info",
        "a stop is what the owner or the shutdown asked for",
        "edged has stopped",
        "The workers told what they had counted until now, and all of it is in the store.",
        "Nothing needs to be done. `systemctl start edged` starts it again.",
    ),
    Kind(
        "failed",
        "c3ae7d7b96004038a9ad09a6bf27468f",
        "error",
        "nothing counts until this is mended, or only after a restart",
        "edged cannot go on",
        "The daemon ended by itself: @EDGED_REASON@. What was committed before is safe.",
        "The entry itself ends with the next step. `sudo edged doctor` looks for the usual causes. "
        "systemd tries again in a while in any case.",
        ("reason", "exit_status"),
    ),
    # --- pipelines
    Kind(
        "started",
        "4e22909669d44ea2b44187dce04fb31f",
        "info",
        "a pipeline works",
        "Pipeline @EDGED_PIPELINE@ works",
        "Its worker has its source and its model, and has made its first inference: with @EDGED_RUNTIME@ "
        "on @EDGED_DELEGATE@.",
        "Nothing needs to be done. If @EDGED_DELEGATE@ is not what the model was meant to run on, `edged "
        "status` says why.",
        ("runtime", "delegate"),
    ),
    Kind(
        "ended",
        "f4d696c2feba45658825bf6cd577df09",
        "info",
        "a recording is over some time",
        "Pipeline @EDGED_PIPELINE@ has come to its end",
        "Its source was a recording, and all of it was counted.",
        "Nothing needs to be done. `edged report` shows the numbers. A restart counts it again, into the "
        "same time if the source has a `start`.",
    ),
    Kind(
        "view-lost",
        "96d5c1cc16c74dfcb6006790e6dd4828",
        "warning",
        "nothing is counted until the camera sees again; at night that may be all there is to it",
        "Pipeline @EDGED_PIPELINE@ sees nothing",
        "Pictures come, but nothing can be counted in them: the camera is @EDGED_REASON@. That time is blind "
        "in every report: it is not counted as empty.",
        "dark: light, or an infrared lamp; at night it ends by itself. covered, blurred: look at the lens. "
        "moved: put it back where it was, or draw zones and lines anew and reload. Whoever wants the time "
        "counted all the same leaves the state out of `blind_when`.",
        ("reason",),
    ),
    Kind(
        "view-back",
        "0127c63bbd7e4c6c9cd60b146d9a731a",
        "info",
        "it is counted again",
        "Pipeline @EDGED_PIPELINE@ sees again",
        "The camera was @EDGED_REASON@, and is so no more.",
        "Nothing needs to be done.",
        ("reason",),
    ),
    Kind(
        "replaced",
        "15a21a04dd5644eeab3ef25e195d371a",
        "warning",
        "some seconds were not counted, and it may happen again; edged mends it by itself",
        "The worker of pipeline @EDGED_PIPELINE@ is replaced",
        "The worker ended or made no progress: @EDGED_REASON@. A new one starts in @EDGED_WAIT_S@ s; each "
        "failure in a row doubles that, up to a minute; after several the pipeline is set aside for longer "
        "(the event 'quarantined'). The time without a worker is in the store as blind.",
        "Once is no trouble. If it goes on, see that the device is connected and powered (`vcgencmd "
        "get_throttled`), that no other program uses it, and that the board has memory left. `edged "
        "check` tries the config, `sudo edged doctor` the machine.",
        ("reason", "wait_s", "restarts"),
    ),
    Kind(
        "quarantined",
        "783c1d7f610e485b8ded8e01066c5c6f",
        "error",
        "the pipeline counts nothing for a while, and most likely not before the owner has changed something",
        "Pipeline @EDGED_PIPELINE@ is set aside",
        "Its workers failed again and again (failures counted lately: @EDGED_FAILURES@), the last time like "
        "this: @EDGED_REASON@. No worker is started for @EDGED_WAIT_S@ s; if the next one fails as well, "
        "twice as long, up to six hours. The other pipelines go on. The time is in the store as blind.",
        "See whether the model, the recording or the device is at fault: `sudo edged doctor source model`, "
        "or another model in its place. A model or a recording that is not from a source you trust may be "
        "made to break its reader: take it away. `sudo systemctl reload edged` tries the pipeline at once.",
        ("reason", "wait_s", "failures"),
    ),
    Kind(
        "refused",
        "6de52ec35c5d4694be540f87cc40805b",
        "error",
        "the pipeline counts nothing until the owner has changed something",
        "Pipeline @EDGED_PIPELINE@ cannot work as it is",
        "Its source or its model can never work this way, so it is not tried again: @EDGED_REASON@.",
        "Mend what the reason names (the config, the model's file, the device), try it with `edged "
        "check`, then `sudo systemctl reload edged`. The other pipelines go on meanwhile.",
        ("reason",),
    ),
    Kind(
        "outlined",
        "f5e67be2884e4aa785cc8632ff3f4494",
        "notice",
        "somebody looked through a camera; everybody who reads the journal is to know",
        "An outline of what pipeline @EDGED_PIPELINE@ sees was shown",
        "Somebody with the owner's right has typed `edged zones`: a sketch of edges, of at most 160 x 160 "
        "cells that are black or white, was shown to them, and kept nowhere. While the source was lent for "
        "that the pipeline was blind.",
        "Nothing needs to be done. If it was not you who looked, find out who may be root on this box.",
    ),
    Kind(
        "wall-broken",
        "41d68fa670ce438a924a73d0acdbf8ab",
        "error",
        "no sound worker does this: it is a fault of edged, or somebody else's code in the worker",
        "The worker of pipeline @EDGED_PIPELINE@ broke a rule of the wall",
        "What it sent was not a message that it may send (@EDGED_REASON@), so it was ended. Nothing of "
        "that message was kept. A new worker is started.",
        "Please report it with this entry and the model's name. If the model is not one you trust, "
        "disable the pipeline (`enabled = false`) and reload.",
        ("reason",),
    ),
    Kind(
        "sandbox-lacking",
        "0e47a42aa868421195da8cdee820f3e9",
        "warning",
        "the pipeline works, less locked up than elsewhere",
        "The worker of pipeline @EDGED_PIPELINE@ is not locked up fully",
        "This kernel has no @EDGED_LACKING@, a part of what keeps a worker, who sees pictures, from "
        "everything else. The other parts hold.",
        "`edged doctor daemon` says what a kernel needs for it; Debian's have all of it. It counts in any "
        "case.",
        ("lacking",),
    ),
    Kind(
        "worker-broke-out",
        "47b7d2b129d242928996dab69a21b2c1",
        "error",
        "a library or a model does what it must not; nothing came of it, but nobody should overlook that",
        "The worker of pipeline @EDGED_PIPELINE@ tried to break out",
        "A worker sees pictures, so once it works the kernel lets it do nothing but that. This one asked for "
        "the system call @EDGED_CALL@, which no worker needs. The call was not made, and the worker was "
        "ended.",
        "If the model or the recording is not from a source you trust, take it away. If this began with an "
        "update of edged, of a runtime or of libcamera, it is a fault of ours: please report it with the "
        "call's name.",
        ("call",),
    ),
    Kind(
        "worker-stuck",
        "1d716a75f360463bb86212de7e6f4af5",
        "error",
        "most likely the pipeline counts nothing until somebody restarts the board",
        "The worker of pipeline @EDGED_PIPELINE@ cannot be ended",
        "The worker was killed and is still there (process @EDGED_WORKER_PID@): it waits in a driver that "
        "does not return, as of a camera or a Coral that has crashed. Nobody can end such a process, and "
        "its device is not free before it has ended. One more worker is tried beside it, in case it can do "
        "without. The other pipelines go on.",
        "Restart the board: `sudo systemctl reboot`. If it happens again, see to the device's cable and "
        "power, and to updates of the kernel and the board's firmware.",
        ("worker_pid",),
    ),
    Kind(
        "rung-lacking",
        "add2dd90bfaa468a88199f07639a96c3",
        "warning",
        "on a hot day there is one model less to step down to; what works now goes on",
        "A model of the ladder of pipeline @EDGED_PIPELINE@ cannot be had",
        "The model at place @EDGED_RUNG@ of the ladder (0 is the dearest) could not be opened: "
        "@EDGED_REASON@. The pipeline goes on with the others.",
        "Mend what the reason names, then `sudo systemctl reload edged`. `edged models show FILE` says "
        "what is in a file.",
        ("rung", "reason"),
    ),
    # --- the governor
    Kind(
        "throttled",
        "f7a1b946294b48a288e93345ef6b8fbe",
        "notice",
        "fewer frames are looked at, as the owner's limits want it, and reports say so",
        "Pipeline @EDGED_PIPELINE@ looks less often",
        "The governor allows it @EDGED_RATE@ frames a second for now: @EDGED_REASON@. For a recording"
        " that is read as fast as it goes the rate is what is left of its speed. What was counted "
        "meanwhile has its coverage.",
        "Nothing needs to be done. If it happens often: a heat sink, a fan, a better supply, a "
        "cheaper model in the pipeline's `ladder`, or a lower `rate`.",
        ("reason", "rate"),
    ),
    Kind(
        "eased",
        "c8e24904e3e844b682a1d8383fc4f78b",
        "info",
        "the trouble is over or less",
        "Pipeline @EDGED_PIPELINE@ looks more often again",
        "The governor allows it @EDGED_RATE@ frames a second again.",
        "Nothing needs to be done.",
        ("rate",),
    ),
    Kind(
        "rung-changed",
        "a8780c20347f4e2e9be5b73faa085f0c",
        "notice",
        "from here on numbers are made with another model",
        "Pipeline @EDGED_PIPELINE@ goes on with another model of its ladder",
        "The governor has chosen the model @EDGED_MODEL@: @EDGED_REASON@. It is loaded beside the one"
        " at work, so that no second is lost. Reports tell the seconds of each.",
        "Nothing needs to be done. `ladder`, `prefer` and `quality` in the config say what is chosen when.",
        ("model", "reason"),
    ),
    Kind(
        "paused",
        "f406d6b62e9d43fcb10565f9d52671e8",
        "warning",
        "nothing is counted meanwhile; edged goes on by itself",
        "Pipeline @EDGED_PIPELINE@ is paused",
        "The governor allows it nothing for now: @EDGED_REASON@. The time is in the store as paused.",
        "In quiet hours nothing needs to be done. Else see to heat, supply or battery, or lower the "
        "pipeline's `least_rate`.",
        ("reason",),
    ),
    Kind(
        "resumed",
        "44dd3f1bda34412fb83cbeeca09d6810",
        "info",
        "the trouble is over",
        "Pipeline @EDGED_PIPELINE@ goes on",
        "The governor lets it look again.",
        "Nothing needs to be done.",
    ),
    Kind(
        "under-voltage",
        "ffe342a5becc4a0f8ae719384d5cbe86",
        "warning",
        "a weak supply damages cards and ends in lost numbers",
        "The supply is too weak",
        "The board has told of under-voltage. All work was cut to the least that is useful, and comes"
        " back slowly, as far as the supply bears it.",
        "Use the board's own supply and a short, thick cable; let a hub with its own supply feed what"
        " draws much (a Coral: 900 mA).",
    ),
    Kind(
        "power-steady",
        "41caaf1547ad4406b3c9cafc07eeefe6",
        "info",
        "the trouble is over",
        "The supply holds again",
        "The board has told of no under-voltage for long enough that work was given back.",
        "Nothing needs to be done.",
    ),
    Kind(
        "sensor-blind",
        "b0cdddd527554ae6b79a5f9337cf55c2",
        "warning",
        "the board may be hot and nobody would know; pipelines look less often until it is known",
        "The board's temperature is not known any more",
        "What the sensor says cannot be believed: @EDGED_REASON@. Blind means hot: only the least "
        "that is useful goes on.",
        "`edged doctor` shows all sensors. If it stays so, restart the board; a sensor that goes on "
        "like this is broken.",
        ("reason",),
    ),
    Kind(
        "sensor-back",
        "bc56dec307964bb1b7b043bd4f488a39",
        "info",
        "the trouble is over",
        "The board's temperature is known again",
        "The sensor says what can be believed.",
        "Nothing needs to be done.",
    ),
    Kind(
        "sensor-absent",
        "cc42977604e143c18ffafbebfecd814d",
        "notice",
        "all is well, but heat is not looked after",
        "This board has no temperature sensor",
        "None was found, so nothing is done against heat. Supply, battery, energy and quiet hours are"
        " looked after as far as they are told.",
        "Nothing needs to be done on a virtual machine. On a board: `edged doctor` says what it "
        "found, and whether the service may read it.",
    ),
    # --- the clock
    Kind(
        "clock-lost",
        "6a9c111197cb4ee59cf142e5f23a55f0",
        "warning",
        "nothing is lost, but reports lack what is counted now until the time is known",
        "The time is not known to be right",
        "The clock may be wrong: @EDGED_REASON@. What is counted from now on is kept without a date, and "
        "gets its date as soon as the time is known, also after a restart.",
        "See that the board reaches a time server (`timedatectl timesync-status`) or has a clock with a "
        'battery. A box that is never connected and whose clock you set yourself wants `trust = "always"` '
        "in [clock].",
        ("reason",),
    ),
    Kind(
        "clock-right",
        "39d99e45c9f9434e815456b82de043ea",
        "info",
        "the trouble is over",
        "The time is right",
        "The clock can be relied on: @EDGED_REASON@. What was counted without a date gets its date with "
        "the next commits.",
        "Nothing needs to be done.",
        ("reason",),
    ),
    # --- the store
    Kind(
        "store-made",
        "b0a157de2e604677afa6010902b9bd0c",
        "notice",
        "expected once in a box's life, and never again",
        "A new store was made",
        "There was no store at the place that the config names, so an empty one was made there.",
        "Nothing needs to be done on a new box. On one that has counted before, see that [store] file is "
        "the right one and that its disk is mounted.",
        ("file",),
    ),
    Kind(
        "store-put-aside",
        "03104b778f204f9498e06a9c4e3865b9",
        "error",
        "what was counted before is out of reach until the owner saves it",
        "The store was damaged, and a new one was begun",
        "A page or the log of the store does not verify: @EDGED_REASON@. Nothing of it was told as a "
        "number. It lies at @EDGED_FILE@ as it was; edged counts into a new store.",
        "`sudo edged store salvage @EDGED_FILE@` saves what is whole into a new file beside it. Look for the "
        "cause: `sudo edged doctor card`, `journalctl -k -g mmc`; a card that does this once should be "
        "replaced.",
        ("reason", "file"),
    ),
    Kind(
        "store-behind",
        "d7d7d8e7e8174d2c94b5769b2b74e047",
        "warning",
        "nothing is lost yet: memory holds hours of it",
        "The store cannot be written now",
        "What is counted is held in memory, some hours of it at most: @EDGED_REASON@. Each commit tries "
        "again. A power cut loses what is held.",
        "Free some room on the disk (`df -h /var/lib/edged`); look into the kernel's messages for a "
        "failing card (`journalctl -k -g mmc`); `sudo edged doctor` checks both.",
        ("reason",),
    ),
    Kind(
        "store-caught-up",
        "a491409d7df845779fd340ff92fd17f6",
        "info",
        "the trouble is over",
        "The store is written again",
        "All that was held in memory is in the store.",
        "Nothing needs to be done.",
    ),
    Kind(
        "buckets-lost",
        "5a6fa08885264be9be49edb5f395e9d1",
        "error",
        "numbers are gone",
        "Numbers were lost",
        "The store could not be written for so long that memory could hold no more: the oldest "
        "@EDGED_LOST@ buckets (a pipeline's minute each) were dropped.",
        "Make the store writable, as the event 'store-behind' before this one explains.",
        ("lost",),
    ),
    # --- the config
    Kind(
        "reloaded",
        "5882add13ae445a09c397f5fe460165d",
        "notice",
        "from here on the box may count something else",
        "The config was read again and is in force",
        "What was different in it: @EDGED_CHANGES@. Pipelines that did not change went on undisturbed.",
        "Nothing needs to be done.",
        ("changes",),
    ),
    Kind(
        "reload-refused",
        "ad1b137d99c74c7ea32a8926bff1ba8d",
        "error",
        "the box does not do what its config says, and only the owner can mend that",
        "The new config is wrong; the old one stays in force",
        "The config was read again and has mistakes: @EDGED_REASON@. Nothing was changed; but the next "
        "start would fail.",
        "`edged check` names every mistake with its line. Mend them and `sudo systemctl reload edged` again.",
        ("reason",),
    ),
    Kind(
        "needs-restart",
        "e527ad106e3f4a5b9eaacddfc80c10bc",
        "warning",
        "the box does not do all that its config says until the owner acts",
        "A part of the new config waits for a restart",
        "These keys cannot be changed while edged runs: @EDGED_KEYS@. All others are in force.",
        "`sudo systemctl restart edged` when some seconds without counting do no harm.",
        ("keys",),
    ),
    # --- keys
    Kind(
        "key-rotation-begun",
        "0f620848649349fcba8c521e26bee60f",
        "notice",
        "who holds the key was changed",
        "The store is being encrypted with a new key",
        "A new file is written under the next key beside the old one. Until it is whole, the old one is "
        "used; a power cut now loses nothing, and the next start goes on with it.",
        "Nothing needs to be done. Do not remove either key before the event 'key-rotated'.",
    ),
    Kind(
        "key-rotated",
        "6d98bb0724e241a281a18d02385a8de1",
        "notice",
        "who holds the key was changed",
        "The store has a new key",
        "The store is encrypted with the new key. The old one opens nothing any more but old copies of "
        "the store.",
        "Make a new escrow copy: `sudo edged keys export --to-recipient …`. The one made before does not "
        "fit any more.",
    ),
    Kind(
        "key-rotation-failed",
        "b5de4f28103a4510a7c69689f8b8cfa3",
        "error",
        "the store keeps a key that the owner wanted to be rid of",
        "The store keeps its old key",
        "It could not be encrypted with the new one: @EDGED_REASON@. Nothing was lost, and the old key is "
        "still the right one.",
        "Mend what the reason names (most often room on the disk: as much as the store is large) and "
        "restart edged, or run `sudo edged keys rotate` again.",
        ("reason",),
    ),
    Kind(
        "key-exported",
        "74c06a161efd4ecda517f2c2dd113582",
        "notice",
        "who holds the key was changed",
        "A copy of the key was made for a recipient",
        "Whoever holds that recipient's identity can open this box's store from now on.",
        "If it was not you who asked for it, rotate the key: `sudo edged keys rotate`.",
    ),
    # --- who asks
    Kind(
        "control-refused",
        "b9d8161590774f44a89be43a4abf4990",
        "warning",
        "somebody tries what is not theirs to do; nothing happened",
        "The control socket has refused somebody",
        "The process @EDGED_PEER_PID@ of user @EDGED_PEER_UID@ wanted more than it may: @EDGED_REASON@.",
        "If that was you, use sudo. `ps -o user,args -p @EDGED_PEER_PID@` tells whose it is while it runs "
        "(65534 is any user whom the service's sandbox does not know). One that has no business with "
        "edged is to leave the group that may ask it: `sudo gpasswd -d NAME edged`.",
        ("peer_uid", "peer_pid", "reason"),
    ),
    Kind(
        "control-fault",
        "1dea9184f9c74d999c5fa6476cd71220",
        "error",
        "a fault of edged, which only its makers can mend",
        "A question could not be answered",
        "Something went wrong inside edged while it answered: @EDGED_REASON@. Counting was not touched.",
        "Please report it with this entry and what was asked.",
        ("reason",),
    ),
    # --- versions
    Kind(
        "upgraded",
        "653c3e1ff72a422298c4953991fafa9a",
        "notice",
        "the box runs something else from here on",
        "A new version of edged was tried and is kept",
        "It came up healthy: @EDGED_NEW@ replaces @EDGED_OLD@.",
        "Nothing needs to be done.",
        ("old", "new"),
    ),
    Kind(
        "rolled-back",
        "d095a39d4f5b48668e446404897d7882",
        "error",
        "the box does not run the version that its owner installed",
        "A new version of edged was tried and taken back",
        "It did not come up healthy (@EDGED_REASON@), so @EDGED_OLD@ was put back. The config, "
        "and what was counted before, are as they were.",
        "Read what the new version said: the entries of edged.service before this one. `edged status` "
        "shows whether the old one counts again. Report the reason if it is no fault of this box.",
        ("old", "new", "reason"),
    ),
)

KINDS: Final = {kind.name: kind for kind in _TABLE}


def catalogue() -> str:
    """All kinds as systemd's message catalogue has them."""
    return "# Made by `python -m edged.events`.\n" + "".join(map(_entry, _TABLE))


def _entry(kind: Kind) -> str:
    import re
    import textwrap

    # What stands for a whole sentence stands by itself: nobody knows how long it is.
    apart = re.sub(r": (@EDGED_[A-Z]+@)\. ?", r":\n\n\1\n\n", kind.explanation)
    told = [*apart.strip().split("\n\n"), kind.remedy]
    paragraphs = "\n\n".join(textwrap.fill(one, 78) for one in told)
    return f"\n-- {kind.message_id}\nSubject: {kind.subject}\nDefined-By: edged\n\n{paragraphs}\n"


def table() -> str:
    """All kinds as a table in Markdown."""
    head = "| event | priority | because | fields | MESSAGE_ID |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {one.name} | {one.priority} | {one.because} "
        f"| {', '.join(f'EDGED_{name.upper()}' for name in one.fields)} | {one.message_id} |\n"
        for one in _TABLE
    )


if __name__ == "__main__":
    sys.stdout.write(table() if "table" in sys.argv else catalogue())
