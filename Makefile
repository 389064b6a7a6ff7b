PYTHON ?= python3
# Where `make reproduce` trains; runs that are already there are kept. The shell reads it, for it may have blanks.
OUT ?= runs/reproduced
export OUT
# Which notebooks `make reproduce` does, by their numbers, such as "9 11"; all of them if none.
CHAPTERS ?=
# Address of a Dask scheduler, for `make reproduce` on its cluster.
DASK ?=
# Where `make reproduce` and `make bench` train: cpu, cuda or mps.
DEVICE ?=
# Where `make serve` shows the book.
PORT ?= 8000

# The x86-64 processor that the tests are to see: avx2, without AVX-512, as most laptops are, or sse; this
# machine's own if none. Each library reads a variable of its own that leaves out newer instructions; of PyTorch's
# avx2 has what moda.arithmetic sets there.
CPU ?=
AS_avx2 := env ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=COMPATIBLE \
    OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
AS_sse := env ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
    OPENBLAS_CORETYPE=Nehalem NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
AS = $(if $(CPU),$(or $(AS_$(CPU)),$(error CPU is avx2 or sse)))
NUMBERS := test_classification.py test_comparison.py test_evaluation.py test_networks.py training runs/test_reference.py runs/test_independent.py

BIN := .venv/bin
READY := .venv/.installed
LAB := .venv/.lab
HTML := book/_build/html
# One of the files of each package in book/_latex/debian-packages.txt that is not a command.
TEX_FILES := spanish.ldf titlesec.sty pzdr.tfm lmmono10-regular.otf \
    texgyrepagella-regular.otf texgyrepagella-math.otf

# In a locale without UTF-8, `LC_ALL=C` say, an install into a folder called `tesis ñandú` fails.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := C.UTF-8
endif

# Of two in one folder the second waits; where there is no flock (macOS), it does not.
ALONE := $(if $(shell command -v flock 2>/dev/null),exec 9>>Makefile; \
    flock --nonblock 9 || { echo "Another make is at work in this folder; waiting for it."; flock 9; };)

.PHONY: help book lab pdf tex serve test quick numbers faults lint scripts reproduce bench clean
.DEFAULT_GOAL := help

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(READY) ## get the data, execute all notebooks, build the HTML book
	@$(ALONE) set -ex; \
	$(BIN)/python -m moda.data; \
	$(BIN)/python notebooks/execute.py; \
	$(BIN)/jupyter-book build book --all -n -W --keep-going
	@echo "The book is at $(HTML)/index.html"

serve: $(READY) ## show the book at http://localhost:8000, or at another PORT; builds it if there is none
	@test -f $(HTML)/index.html || $(MAKE) book
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null || \
		{ echo "Port $(PORT) cannot be had; name another one: make serve PORT=8001" >&2; exit 1; }
	@echo "The book is at http://localhost:$(PORT)/ until you press Ctrl-C."
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(HTML)

lab: $(LAB) ## the notebooks in JupyterLab, to be changed and run cell by cell
	$(BIN)/jupyter-lab

pdf: tex $(READY) ## the book as a PDF, and the HTML book that offers it for download; needs TeX
	@$(ALONE) set -ex; \
	rm -rf book/_build/latex; \
	LATEXMKOPTS="-silent -halt-on-error" \
	    $(BIN)/jupyter-book build book --all -n -W --keep-going --builder pdflatex; \
	$(BIN)/jupyter-book build book --all -n -W --keep-going
	@echo "The PDF is in book/_build/latex, and in book/_build/html for its readers"

tex:
	@command -v xelatex >/dev/null && command -v latexmk >/dev/null && kpsewhich $(TEX_FILES) >/dev/null || { \
	echo "The PDF needs TeX. On Debian or Ubuntu:"; \
	echo "sudo apt-get install --no-install-recommends" $$(cat book/_latex/debian-packages.txt); exit 1; } >&2

test: lint $(LAB) ## all tests: units, notebooks against their outputs, real trainings, the book's pages and PDF
	$(BIN)/python -m moda.data
	$(AS) $(BIN)/pytest

quick: lint ## lint and the unit tests, in less than a minute: no notebook, no other process, no book
	$(BIN)/python -m moda.data
	$(AS) $(BIN)/pytest -m "not slow" tests

numbers: $(READY) ## the tests that see numbers; with CPU=avx2 or CPU=sse as on such a processor
	$(BIN)/python -m moda.data
	$(AS) $(BIN)/pytest notebooks $(NUMBERS:%=tests/%)

faults: $(READY) ## the tests on each seeded fault of tests/mutants, which they must catch; takes hours
	$(BIN)/python tests/mutants/run.py

lint: $(READY) scripts ## ruff and mypy; where there is Node, the types and the format of the page's scripts too
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Without Node or the network it says so, and waits for neither: a job of its own does it in continuous integration.
scripts:
	@cd tests/web; if ! command -v npm >/dev/null; then said="there is no Node here"; \
	elif test node_modules/.package-lock.json -nt package-lock.json || \
	    npm ci --silent --fetch-retries=0 --fetch-timeout=20000; then npm run --silent check; exit; \
	else said="npm cannot fetch what checks them"; fi; \
	echo "The types and the format of book/_assets/live are not checked: $$said"

CHOSEN := $(if $(CHAPTERS),--chapters $(CHAPTERS))
NOTEBOOKS := $(wildcard $(foreach chapter,$(CHAPTERS),notebooks/$(chapter)-*.md notebooks/0$(chapter)-*.md))

reproduce: $(READY) ## train everything from scratch, or what some CHAPTERS need, into OUT; execute, compare
	$(BIN)/python -m moda.data
	MODA_RUNS="$$OUT" $(BIN)/python -m moda.reproduce $(CHOSEN) $(if $(DASK),--dask $(DASK)) $(if $(DEVICE),--device $(DEVICE))
	MODA_RUNS="$$OUT" $(BIN)/python notebooks/execute.py --to "$$OUT/notebooks" $(basename $(notdir $(NOTEBOOKS)))
	$(BIN)/python -m moda.reproduce $(CHOSEN) --compare "$$OUT"

bench: $(READY) ## speed against PyTorch (plain, compiled), Keras and JAX; QUICK=1 for plain PyTorch alone
	$(BIN)/python -m moda.data
	MODA_ARITHMETIC=native $(BIN)/python benchmarks/bench.py $(if $(QUICK),--quick) $(if $(DEVICE),--device $(DEVICE))

clean: ## remove what was built; the environment, the data and trained runs stay
	rm -rf book/_build

# Without the mark that the last line leaves, .venv is what an interrupted `make` left of it: from the start.
$(READY): pyproject.toml constraints.txt install.py
	@$(PYTHON) -c 'import sys; (3, 11, 2) <= sys.version_info < (3, 15) or sys.exit("Python 3.11.2 to 3.14 is needed; name one: make PYTHON=python3.12")'
	@$(ALONE) test $@ -nt pyproject.toml && test $@ -nt constraints.txt && test $@ -nt install.py && exit; set -ex; \
	test -e $@ || $(PYTHON) -m venv --clear .venv; \
	$(BIN)/python install.py; \
	touch $@

$(LAB): $(READY)
	@$(ALONE) set -ex; $(BIN)/python install.py lab; touch $@
