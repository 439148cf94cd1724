"""Seeds of our own: the bundled model, and a few small recordings and pictures made on the spot."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACTIVITY = ROOT / "edged" / "models" / "activity.tflite"
#: name -> (codec, frames a second, pixel format)
MOVIES = {
    "clip.mp4": ("mpeg4", 10, "yuv420p"),
    "clip.mkv": ("h264", 10, "yuv420p"),
    "clip.avi": ("mjpeg", 10, "yuvj420p"),
    "clip.gif": ("gif", 10, "rgb8"),
    "clip.webm": ("vp9", 10, "yuv420p"),
}


#: name -> (codec, samples a second)
SOUNDS = {
    "sound.wav": ("pcm_s16le", 16000),
    "sound.flac": ("flac", 44100),
    "sound.mp3": ("libmp3lame", 44100),
    "sound.m4a": ("aac", 44100),
    "sound.opus": ("libopus", 48000),
}


HEARD = "sound.wav"


def sounds_of_our_own(folder: Path) -> list[Path]:
    """Those that this FFmpeg can make."""
    import av
    import media

    made = []
    for name, (codec, rate) in SOUNDS.items():
        try:
            made.append(media.sound(folder / name, codec, rate, 2.0))
        except (av.error.FFmpegError, ValueError):
            (folder / name).unlink(missing_ok=True)
    return made


def media_of_our_own(folder: Path) -> list[Path]:
    """Those that this FFmpeg can make."""
    import av
    import media
    import simplejpeg

    made = []
    for name, (codec, fps, form) in MOVIES.items():
        try:
            made.append(media.movie(folder / name, codec, 20, fps, form))
        except (av.error.FFmpegError, ValueError):
            (folder / name).unlink(missing_ok=True)
    made.append(media.still(folder / "still.png", media.picture(9, 320, 240)))
    made.append(media.still(folder / "still.bmp", media.picture(9, 320, 240), "bmp"))
    picture = folder / "still.jpg"
    picture.write_bytes(simplejpeg.encode_jpeg(media.picture(9, 320, 240)))
    return [*made, picture, *sounds_of_our_own(folder)]
