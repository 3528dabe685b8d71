# A new checkout only needs `make run` and `make test`; both install what is missing. `make help` lists all targets.
SHELL := /bin/bash
ROUNDS ?= 20
ARGS ?=
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The commit from which the program is built. It is set here because GOFLAGS may have disabled Go's own version stamping.
COMMIT := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X feddag/cli.commit=$(COMMIT)

# Compiles the C++ libraries if necessary and loads the CGO_* variables into the shell of the recipe.
NATIVE = env=$$(scripts/build_native.sh) && . "$$env"

.PHONY: help setup build run test check race lint page-check docs-check gpu-bundle kernels-lab image-check clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing (packages, Go modules)
	@scripts/setup.sh

build: setup ## build ./feddag
	@$(NATIVE) && go build -ldflags "$$FEDDAG_LDFLAGS $(LDFLAGS)" -o feddag .

run: build ## build, then train FedDAG on Fashion-MNIST for ROUNDS=20 rounds; more flags in ARGS
	./feddag train --rounds $(ROUNDS) $(ARGS)

test: setup ## go vet and the tests
	@$(NATIVE) && go vet ./... && go test ./...
	@CGO_ENABLED=0 go test -run 'Scipy|ScikitLearn|Golden|Table19|Dirichlet|Reference|Layouts' ./similarity ./federation/data ./federation/partition ./federation/corruption # without cgo

check: setup ## all tests, including long ones, then the tests that depend on the BLAS with the kernels of other processors
	@$(NATIVE) && FEDDAG_LONG=1 go test -count=1 -timeout 120m ./...
	@scripts/check_kernels.sh

race: setup ## the tests under the race detector; long
	@$(NATIVE) && go test -race -short -count=1 -timeout 120m ./...

lint: setup ## gofmt, go vet, staticcheck, plain English
	@scripts/check_language.sh
	@unformatted=$$(gofmt -l .) && if [[ -n $$unformatted ]]; then printf 'gofmt: %s\n' $$unformatted; exit 1; fi
	@$(NATIVE) && go vet ./... && go run $(STATICCHECK) ./...

page-check: build ## make small runs and check their pages in Chromium, which must be installed, with Node
	@scripts/check_pages.sh ./feddag

docs-check: build ## run the commands that the pages print
	@scripts/check_docs.sh

gpu-bundle: setup ## build/gpu for scripts/gpu_check.sh, against the torch of python3
	@scripts/gpu_bundle.sh

kernels-lab: ## compile the CUDA kernels without a GPU (the compiler from PyPI): registers, spills, multiply-adds
	@scripts/kernels_lab.sh --check

image-check: ## build and run both images of Dockerfile.cuda with buildah, as root (TARGETS="cpu cuda")
	@scripts/check_image.sh $(TARGETS)

clean: ## remove what was built, not runs/, data/ or .venv/
	rm -rf build feddag
