# Everything is set up by itself, in .venv and .cache of this folder. Without make: see tools/setup_env.py.
#
#   make demo                  the project's own clip: take, .blend, movie and picture
#   make demo CLIP=path        any other (ARGS="--height 1.82" and the like reach the batch)
#   make test                  all tests, in every Blender that this machine can have (ARGS="-k lens" reach pytest)
#   make test-setup            Set Up Backend in a real Blender's window, with half a gigabyte of real downloads
#   make test-blender          only those in Blender (ARGS="--only 4.2 window")
#   make lint                  style and types
#   make extension             the extension's zip, to install in Blender
#   make evaluate bench        the tables of the README (BVH=folder: retargeting onto the skeletons of its BVH files too)

DEMO_CLIP ?= demo/demo.mp4
CLIP ?= $(DEMO_CLIP)
OUT ?= out
ARGS ?=

ifeq ($(OS),Windows_NT)
PYTHON ?= py
VENV_PYTHON := .venv/Scripts/python
else
PYTHON ?= $(shell command -v python3 || command -v python3.11 || command -v python)
VENV_PYTHON := .venv/bin/python
endif
BACKEND := $(VENV_PYTHON) -m inference_backend

export PCHMR_MODELS ?= $(CURDIR)/.cache/models

.PHONY: demo test test-setup test-blender lint extension bench evaluate env dev lock clean distclean

demo: env
	@$(VENV_PYTHON) tools/demo.py "$(CLIP)" --out "$(OUT)" $(ARGS)

test: dev
	$(VENV_PYTHON) tools/run_tests.py $(ARGS)

test-blender: dev
	$(VENV_PYTHON) tools/test_blender.py $(ARGS)

test-setup: dev
	$(VENV_PYTHON) -m pytest tests/window/set_up_for_real.py $(ARGS)

lint: dev
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) tools/check_types.py

extension: env
	$(VENV_PYTHON) tools/build_extension.py --out $(OUT) --bpy "$$($(VENV_PYTHON) tools/blender_env.py --path 5.0)"

bench: dev
	$(BACKEND) bench blazepose "$(CLIP)"
	$(BACKEND) bench calibration
	$(BACKEND) bench pipeline "$(CLIP)"
	$(BACKEND) bench memory "$(CLIP)"
	$(BACKEND) reconstruct "$(CLIP)" --out "$(OUT)/bench.take"
	"$$($(VENV_PYTHON) tools/blender_env.py --path 5.0)" tests/blender/bench_forms.py "$(OUT)/bench.take"
	"$$($(VENV_PYTHON) tools/blender_env.py --path 5.0)" tests/blender/bench_main_thread.py "$(OUT)/bench.take" \
		--clip "$(CLIP)" --backend "$(VENV_PYTHON)"
	$(VENV_PYTHON) tests/blender/bench_live.py

evaluate: env
	$(BACKEND) evaluate accuracy --predictions build/predictions.npz
	$(BACKEND) evaluate suspects
	$(if $(BVH),$(VENV_PYTHON) tools/evaluate_retarget.py "$(BVH)")

env:
	@"$(PYTHON)" tools/setup_env.py

dev:
	@"$(PYTHON)" tools/setup_env.py --dev

lock:
	"$(PYTHON)" tools/lock.py
	"$(PYTHON)" tools/setup_table.py

# build/ stays: trainings that took hours may lie there.
clean:
	rm -rf out .pytest_cache .mypy_cache .ruff_cache
	find inference_backend pchmr_blender tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv .cache
