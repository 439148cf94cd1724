"""What each key means, for the JSON Schema. Kept out of ``shape``, which the daemon and every worker hold in
memory.

A test holds this complete: every struct and every key of ``shape``, and no others.
"""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "Config": "edged: counts what a camera sees, on the device, and keeps only the numbers",
    "Daemon": "Where the daemon lives and what it says",
    "Store": "The encrypted store of aggregates",
    "Keep": "How long buckets of each length are kept; 0 keeps none of that length",
    "Clock": "When the time is believed, and whose days are meant",
    "Governor": "What the governor keeps to: heat, power, quiet hours",
    "Model": "A .tflite model and what its own metadata do not say",
    "Pipeline": "One source through one model to its measures",
    "Synthetic": "The scripted scene: things that walk and drive through, of a number that is known",
    "File": "A video, an animated picture, a picture, or a folder of pictures",
    "V4l2": "A camera of the kernel's own kind: USB cameras, capture sticks",
    "Camera": "A camera on the Raspberry Pi's camera connector, through libcamera",
    "Measure": "What is to be known",
}

_LOST: Final = "After so long without a frame the camera counts as lost: it is closed and opened again"
_START: Final = (
    'The date and time of the first frame, for pace "fast"; "" takes the time at which edged starts'
)

KEYS: Final = {
    "Config.daemon": TABLES["Daemon"],
    "Config.store": TABLES["Store"],
    "Config.clock": TABLES["Clock"],
    "Config.governor": TABLES["Governor"],
    "Config.models": "Models by name. The model `activity` is there without being defined",
    "Config.pipelines": "Pipelines by name, each a worker process of its own",
    "Daemon.state_dir": "The folder for what is kept: the store, and the key unless key_file says otherwise",
    "Daemon.runtime_dir": "The folder of control.sock, by which the other commands ask the daemon",
    "Daemon.log_level": "The least serious thing that is logged",
    "Store.file": 'The database; "" is edged.db in state_dir',
    "Store.key_file": 'A file with the key that encrypts the store; "" is the one sealed for the service, '
    "and without it the file key in state_dir",
    "Store.commit_every": "How often the store is written. A power cut loses at most this much",
    "Store.keep": TABLES["Keep"],
    "Keep.second": "How long buckets of a second are kept",
    "Keep.minute": "How long buckets of a minute are kept",
    "Keep.hour": "How long buckets of an hour are kept",
    "Keep.day": "How long buckets of a (local) day are kept",
    "Clock.trust": "synchronised: nothing is dated before the kernel says the time is right; always: at once",
    "Clock.timezone": 'Whose days and hours are meant, such as "Europe/Berlin"; "" is the system\'s',
    "Governor.enabled": "Whether anything is slowed down to keep the board cool and its supply at ease",
    "Governor.board": '"auto" is the board under us; "simulated:pi4-bare" and others are to try things out',
    "Governor.target": "°C that the processor is to stay under; 0 is two below the board's own limit",
    "Governor.quiet": "Hours of local time in which nothing is looked at",
    "Governor.watt_hours": "Watt-hours that a day may take; 0 is any number",
    "Governor.battery_reserve": "Charge at which everything pauses, while the battery drains",
    "Governor.battery_comfort": "Charge from which on the battery is no concern",
    "Model.file": "The .tflite file, or builtin:activity",
    "Model.edgetpu_file": "The same model compiled for the Edge TPU; file remains the one to fall back to",
    "Model.runtime": "The library that runs the model",
    "Model.delegate": "What computes: the CPU or an Edge TPU; auto tries that where edgetpu_file is set",
    "Model.delegate_library": 'The Edge TPU\'s library, by name or path; "" is libedgetpu.so.1',
    "Model.threads": "The most threads for one inference. More are faster and hotter",
    "Model.quality": "How good it is beside the other models of a ladder, on any scale (mAP, accuracy); "
    "0: by its place",
    "Model.decoder": "What the outputs mean; auto finds out from the model",
    "Model.labels_file": "A text file with one label a line, for a model without labels inside",
    "Model.labels": "The labels themselves, in the model's order",
    "Model.min_score": "The least score with which something counts as seen",
    "Model.mean": "Of the input's values 0..255, by channel or one for all: input = (value - mean) / std",
    "Model.std": "See mean",
    "Model.outputs": "The names of the output tensors in the decoder's order, where they cannot be told",
    "Pipeline.source": "Where the frames come from",
    "Pipeline.model": "A name from [models]",
    "Pipeline.ladder": "Cheaper models for the same measures, dearest first, for when the board gets "
    "too hot or its power is weak",
    "Pipeline.prefer": "What is kept for longer when not all can be had: accuracy (a dear model at a "
    "lower rate) or rate (a cheap model at the full rate)",
    "Pipeline.enabled": "false: it is checked, but does not run",
    "Pipeline.rate": "Frames per second to analyse at most; 0 is as fast as it goes. Heat and power follow",
    "Pipeline.least_rate": "Frames per second below which it is rather paused; 0 is any",
    "Pipeline.weight": "How much it counts when several pipelines share what the board can do",
    "Pipeline.zones": "Polygons by name: corners as fractions of the picture, [0, 0] is its top left corner",
    "Pipeline.measures": "What is to be known",
    "Synthetic.kind": TABLES["Synthetic"],
    "Synthetic.width": "In pixels; 0 is the model's own width",
    "Synthetic.height": "In pixels; 0 is the model's own height",
    "Synthetic.fps": "Frames per second that the scene offers",
    "Synthetic.seed": "Another number, another crowd; the same number, the same frames",
    "Synthetic.pace": "real: as time goes by; fast: as fast as it can be analysed, on a clock of its own",
    "Synthetic.noise": "The sensor's noise: one standard deviation in grey levels (of 255)",
    "Synthetic.people": "People who enter in a minute",
    "Synthetic.cars": "Cars that enter in a minute",
    "Synthetic.empty": "How long the scene is empty at first",
    "Synthetic.duration": "After so long the scene is over",
    "Synthetic.held": "So many frames are drawn beforehand and shown in turn (a load test); 0 draws each one",
    "Synthetic.start": _START,
    "File.kind": TABLES["File"],
    "File.path": "The file or folder",
    "File.pace": "real: at its own speed; fast: as fast as it can be analysed, on a clock of its own",
    "File.loop": "Begin again at the end",
    "File.fps": "Frames per second that the file holds; 0 is as it says itself (pictures: one a second)",
    "File.start": _START,
    "V4l2.kind": TABLES["V4l2"],
    "V4l2.device": "The device; a name under /dev/v4l/by-id stays the same when cameras are replugged",
    "V4l2.format": "The pixel format to ask the camera for; auto takes the cheapest to read",
    "V4l2.width": "In pixels; 0 is the camera's nearest size that is not below the model's",
    "V4l2.height": "In pixels; 0 is the camera's nearest size that is not below the model's",
    "V4l2.timeout": _LOST,
    "Camera.kind": TABLES["Camera"],
    "Camera.number": "Which camera, as `rpicam-hello --list-cameras` counts them",
    "Camera.hflip": "Mirror left and right",
    "Camera.vflip": "Mirror top and bottom; with hflip a turn by 180 degrees",
    "Camera.controls": "libcamera's controls by name, such as ExposureTime or AeEnable",
    "Camera.timeout": _LOST,
    "Measure.kind": "occupancy: how many at once; presence: share of time that any is there; "
    "activity: share of the picture that moves; level: a value of the model",
    "Measure.labels": "Each of these by itself; none: anything that the model knows, as one",
    "Measure.zones": "Each of these by itself; none: the whole picture",
    "Measure.min_score": "The least score that counts here, instead of the model's",
    "Measure.unit": "The unit of a level, for reports",
}
