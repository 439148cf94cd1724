"""Models that come with edged, each beside the script that writes it."""
