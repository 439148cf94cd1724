# For habit's sake: the work is done by install.sh, which needs no make. Arguments go on by ARGS="...".
.PHONY: demo test bench lint clean

demo test bench:
	./install.sh --$@ $(ARGS)

lint:
	.venv/bin/python -m pytest -q tests/test_lint.py tests/test_types.py tests/test_layers.py tests/test_docs.py

clean:
	rm -rf .venv .venv-tflite .mypy_cache .ruff_cache .pytest_cache
