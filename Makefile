# A memo of verbs; the work is done by CMake presets and by scripts.
#   make          build the tools into build/bin
#   make demo     train a small model on the avatars in share/ and make pictures
#   make check    build and pass every test
#   make lint     layout and static analysis
#   make asan     the tests under address and undefined behaviour sanitizers (clang)
#   make nightly  slow proofs, resumed item by item; results in share/results/
#   make bare     demo and check inside a bare Debian 12 (needs root and debootstrap)
#   make install  into PREFIX (default /usr/local)
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

.PHONY: all build demo check lint asan nightly bare install clean packages-build packages-check
all: build

build: packages-build
	@cmake --preset release >build.log 2>&1 || { cat build.log; exit 1; }
	@rm -f build.log
	@start=$$(date +%s); cmake --build build --parallel $(JOBS) && echo "build took $$(($$(date +%s) - start)) s"

demo: build
	@share/demo.sh build/bin

check: packages-build packages-check build
	@tests/run.sh build

lint:
	@share/install-packages.sh build check lint
	@tests/lint.sh

asan:
	@share/install-packages.sh build check asan
	@cmake --preset asan >/dev/null
	@cmake --build build-asan --parallel $(JOBS)
	@# The scripts that make system calls fail make the sanitizer's own fail too.
	@tests/run.sh build-asan -LE timing -E '^tools/(files|stops)$$'

nightly: build
	@share/install-packages.sh check
	@tests/nightly/run.sh build

bare:
	@tests/bare.sh

install: build
	@cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build build-dev build-asan demo

packages-build:
	@share/install-packages.sh build
packages-check:
	@share/install-packages.sh check
