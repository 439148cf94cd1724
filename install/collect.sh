# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Collect: a folder with all that a board without a network needs, filled where there is one.

collect() { # collect FOLDER
	folder=$1
	step_count=2
	collect_python=${collect_python:-3.11} collect_arch=${collect_arch:-$(uname -m)}
	python=$(find_python)
	[ -n "$python" ] || fail "there is no python3 here to collect with."
	mkdir -p "$folder" || fail "$folder cannot be made."
	work=$(mktemp -d)
	step "edged's own wheel"
	constraints=$CHECKOUT/constraints.txt pip_from=()
	build_wheel "$python" "$work"
	step "Wheels for Python $collect_python on $collect_arch"
	fetch_foreign
	note "$(find "$folder" -name '*.whl' | wc -l) wheels, $(megabytes "$(du -sb "$folder" | cut -f1)") in $folder"
	note "on the board: sudo $folder/install.sh --offline $folder"
}

fetch_foreign() {
	local one
	tags=(--platform "manylinux2014_$collect_arch")
	# Debian 12's C library is 2.36.
	for one in 2_17 2_26 2_27 2_28 2_31 2_34 2_35 2_36; do
		tags+=(--platform "manylinux_${one}_$collect_arch")
	done
	download_for ''
	# Whether the board has a Coral is not known here.
	! at_least "$collect_python" "$NEWEST_FOR_TFLITE_RUNTIME" || download_for '[tflite-runtime]'
	bring_along
}

download_for() { # download_for EXTRA
	PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$work/tools/bin/python" "$CHECKOUT/install/foreign_pip.py" \
		"$collect_python" "$collect_arch" download --no-input --progress-bar off --only-binary=:all: --dest "$folder" \
		--python-version "$collect_python" --implementation cp --abi "cp${collect_python/./}" --abi abi3 --abi none \
		"${tags[@]}" -c <(constraints_for "$1") "$(wheel_in "$work")$1" 2>&1 | tee "$work/pip.log" | pip_progress && return
	tail -n 15 "$work/pip.log" >&2
	fail "the wheels could not be collected; pip's last words stand above." "is there a network?"
}

# An old wheel of edged beside the new one would leave open which is meant.
bring_along() {
	find "$folder" -maxdepth 1 -name 'edged-*.whl' -delete
	cp "$(wheel_in "$work")" "$constraints" "$CHECKOUT/install.sh" "$folder"
	rm -rf "$folder/install"
	cp -r "$CHECKOUT/install" "$folder/install"
}
