# For habit's sake: the work is done by install.sh, which needs no make. Arguments go on by ARGS="...".
.PHONY: demo test bench bench-accuracy lint test-wall fuzz test-mutants test-soak test-fresh test-interrupt test-canary test-faults test-v4l2 test-camera test-drivers test-sensors test-sound test-system test-arm test-heat hardware-tests clean

demo test bench:
	./install.sh --$@ $(ARGS)

# How right the counts are, in some minutes: docs/accuracy.md. ARGS="--mot FOLDER" judges a clip with labels.
bench-accuracy:
	./install.sh --bench --help >/dev/null
	.venv/bin/python -m benchmarks.accuracy $(ARGS)

lint:
	.venv/bin/python -m pytest -q tests/test_lint.py tests/test_types.py tests/test_layers.py tests/test_docs.py

# Hostile workers against the daemon's side, a million messages of them: some 15 minutes. It goes on where it was stopped.
test-wall:
	cd tests && ../.venv/bin/python -m fuzz.campaign --messages 1000000 --state ../.fuzz-wall.json $(ARGS)

# Thousands of mutated models, videos and pictures against real workers: half an hour, and it goes on where it was.
test-mutants:
	PYTHONPATH=tests:tests/mutants .venv/bin/python -m mutant_campaign $(ARGS)

# 24 simulated hours with crashes, reloads and switched models: minutes.
test-soak:
	PYTHONPATH=tests:tests/soak .venv/bin/python -m soak $(ARGS)

# Strangers' bytes led by the code they reach, a minute for each target. It needs the extra: pip install -e '.[fuzz]'
fuzz:
	cd tests && for target in config models question; do ../.venv/bin/python -m fuzz.guided $$target -max_total_time=60 $(ARGS) || exit; done

# These need root, mmdebstrap and minutes: hardware-tests/README.md.
test-fresh:
	for suite in bookworm trixie; do for job in demo test service; do hardware-tests/lab/fresh.sh $$suite --$$job || exit; done; done

test-interrupt:
	for suite in bookworm trixie; do hardware-tests/lab/interrupt.sh $$suite $(ARGS) || exit; done

# The store under kills, power cuts, failing disks and flipped bits. An hour or two; cut it off and call it again, it
# goes on. ARGS="cuts --seed 7" is another campaign.
test-faults:
	cd tests && nice $(CURDIR)/.venv/bin/python -m faults --state $(CURDIR)/.faults.json $(ARGS)

# An hour of each source, with a marker in its pictures that is looked for everywhere afterwards. EDGED_CANARY is in seconds.
test-canary:
	EDGED_CANARY=$${EDGED_CANARY:-3600} .venv/bin/python -m pytest -q -s tests/test_canary.py $(ARGS)

test-v4l2:
	hardware-tests/lab/v4l2.sh $(ARGS)

test-camera:
	hardware-tests/lab/camera.sh $(ARGS)

test-drivers:
	hardware-tests/lab/drivers.sh $(ARGS)

# A microphone on a real driver in the emulated machine: formats, unplugging, a voice that is speech.
test-sound:
	hardware-tests/lab/sound.sh $(ARGS)

# Sensors on real drivers in the emulated machine: hwmon, iio, 1-wire.
test-sensors:
	hardware-tests/lab/sensors.sh $(ARGS)

test-system:
	hardware-tests/lab/system.sh $(ARGS)

test-arm:
	hardware-tests/lab/arm.sh $(ARGS)

# On a board: makes it hot. It asks for EDGED_MAY_HEAT first.
test-heat:
	hardware-tests/heat/heat.sh $(ARGS)

# On a board: installs, stops and purges edged on this very machine. It asks for EDGED_MAY_HARM first.
hardware-tests:
	hardware-tests/system/board.sh $(ARGS)

clean:
	rm -rf .venv .venv-tflite .mypy_cache .ruff_cache .pytest_cache
