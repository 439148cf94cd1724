"""What happens to pipelines: their workers, and what the governor lets them do."""

from __future__ import annotations

from typing import Final

from edged.events.kind import Kind

WORK: Final = (
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
        "nothing is counted until it is over; of a camera at night that may be all there is to it",
        "Pipeline @EDGED_PIPELINE@ sees or hears nothing",
        "Something comes, but nothing of it can be counted: the source is @EDGED_REASON@. That time is blind "
        "in every report: it is not counted as empty.",
        "dark: light, or an infrared lamp; at night it ends by itself. covered, blurred: look at the lens. "
        "moved: put it back where it was, or draw zones and lines anew and reload. silent: is the microphone "
        "muted? malformed: do the lines name this config's channels, and is the baud right? Whoever wants "
        "the time of a camera or a microphone counted all the same leaves the state out of `blind_when`.",
        ("reason",),
    ),
    Kind(
        "view-back",
        "0127c63bbd7e4c6c9cd60b146d9a731a",
        "info",
        "it is counted again",
        "Pipeline @EDGED_PIPELINE@ sees or hears again",
        "The source was @EDGED_REASON@, and is so no more.",
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
        "source-lost",
        "4c2a34a10ffd40b6a11b033f208a85f9",
        "warning",
        "nothing is counted until it is there again; edged looks for it by itself",
        "Pipeline @EDGED_PIPELINE@ has lost its camera",
        "Its device has gone: it was unplugged, or its bus began anew. It is looked for under the name that "
        "the config has, and goes on with the same worker once it is there. The time until then is in the "
        "store as blind.",
        "Plug it in again. If it happens by itself, see to the cable, to the hub and to the supply: "
        "`journalctl -k` says what the kernel saw.",
    ),
    Kind(
        "source-back",
        "e10136ba843e4e4a8f30571cee13d417",
        "info",
        "the trouble is over",
        "Pipeline @EDGED_PIPELINE@ has its camera again",
        "It was blind for @EDGED_BLIND_S@ s, and counts again.",
        "Nothing needs to be done.",
        ("blind_s",),
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
)
