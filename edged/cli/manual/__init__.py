"""The manual pages that are made of the code itself, so that they cannot say what is not so.

``python -m edged.cli.manual`` writes ``man/edged.1`` from the commands and ``man/edged.toml.5`` from the
config's reference and its shape; a test holds the files in ``man/`` equal to what these modules say.
``man/edged.service.8`` is written by hand.
"""
