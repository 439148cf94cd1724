"""edged: counts what a camera, a microphone or a sensor sees, on the device, and keeps only the numbers."""

__version__ = "0.1.0"
