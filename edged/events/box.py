"""What happens to the box: the daemon's life, clock, store, config and keys, who asks it, its versions."""

from __future__ import annotations

from typing import Final

from edged.events.kind import Kind

LIFE: Final = (
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
)

BOX: Final = (
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
        "The config was read again and has mistakes: @EDGED_REASON@. Nothing was changed; but after the next "
        "start something would not count.",
        "`edged check` names every mistake with its line, `edged doctor model` what a model does not give. "
        "Mend them and `sudo systemctl reload edged` again.",
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
