# lastack: `make run` shows it, `make test` proves it, `make help` lists the rest.
#
# One Makefile, no recursion. A room is a folder of src/; every *.c in it is built, every *_test.c is a
# unit test of its own, every tests/**/*.sh is a test script. Adding a file needs no line here.

PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR   = $(PREFIX)/bin
LIBDIR   = $(PREFIX)/lib
INCDIR   = $(PREFIX)/include
MANDIR   = $(PREFIX)/share/man
UNITDIR  = $(PREFIX)/lib/systemd/system
COMPDIR  = $(PREFIX)/share/bash-completion/completions

VERSION  = 0.1.0
ABI      = 0
CC      ?= cc
CFLAGS  ?= -O2 -g
V       ?= 0
# make test SAN=address,undefined
SAN     ?=
# BPF=0 builds without clang and bpftool; owners of sockets are then found by /proc alone.
BPF     ?= 1
BPFTOOL  = $(or $(shell command -v bpftool),/usr/sbin/bpftool)

# The targets that build before they do something use all cores, unless -j says otherwise.
CORES   ?= $(shell nproc 2>/dev/null || echo 2)
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(CORES))

comma   := ,
BUILD   := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
Q       := $(if $(filter 0,$(V)),@)
say      = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' $(1) $(2))

WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wcast-align=strict -Wvla -Wwrite-strings -Wundef -Werror
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc -DLASTACK_VERSION='"$(VERSION)"'
ALL_CFLAGS = -std=gnu11 -fPIC -MMD -MP $(WARN) $(CFLAGS) $(SANFLAGS)
SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LIB_LDLIBS = -lsqlite3 -lssl -lcrypto -lcrypt -lpthread
LDLIBS   = -lmnl -lm $(LIB_LDLIBS)

LIB_ROOMS = base conn link wire serve disk io drive
CLI_ROOMS = feed observe judge mend lab lab/claims show cli
lib_src  := $(filter-out %_test.c,$(foreach r,$(LIB_ROOMS),$(wildcard src/$(r)/*.c)))
sim_src  := $(filter-out %_test.c,$(wildcard src/io/sim/*.c))
cli_src  := $(filter-out %_test.c,$(foreach r,$(CLI_ROOMS),$(wildcard src/$(r)/*.c)))
unit_src := $(shell find src tests -name '*_test.c' | sort)
tool_src := $(wildcard tests/tools/*.c) $(filter-out %_test.c,$(wildcard tests/leaks/*.c))
ex_src   := $(wildcard examples/*.c)
objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))

lib_obj  := $(call objects,$(lib_src))
sim_obj  := $(call objects,$(sim_src))
cli_obj  := $(call objects,$(cli_src))
test_support := $(call objects,$(filter-out %_test.c,$(wildcard tests/support/*.c)))
units    := $(patsubst %.c,$(BUILD)/%,$(unit_src))
tools    := $(patsubst %.c,$(BUILD)/%,$(tool_src))
examples := $(patsubst %.c,$(BUILD)/%,$(ex_src))

.DELETE_ON_ERROR:
.PHONY: all run test test-all bench soak fuzz claims analyze deps deps-build deps-test install clean help layers examples test-programs

all: $(BUILD)/lastack $(BUILD)/liblastack.so $(BUILD)/liblastack.a examples layers

## run: what lastack does, in one minute, on real sockets (installs what is missing)
run: deps-build
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) $(BUILD)/lastack examples
	$(Q)$(BUILD)/lastack demo

## test: all tests, under ten minutes on two cores (SAN=address,undefined for sanitizers)
test: deps-test
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all test-programs
	$(Q)BUILD=$(BUILD) tests/run.sh

## test-all: the long ones as well: more seeds, sanitizers, valgrind, analyzers
test-all: test
	$(Q)tools/deps.sh healthy
	$(Q)BUILD=$(BUILD) ROBUST_LARGE=1 RACE_TRIES=100000 tests/run.sh tests/leaks/healthy tests/robust tests/close/race
	$(Q)tools/deps.sh lab
	$(Q)BUILD=$(BUILD) LAB_ALL=1 LAB_KILLS=100 tests/run.sh tests/lab
	$(Q)BUILD=$(BUILD) CROWD_FAILURES=1000000 LIMIT_S=1200 tests/run.sh tests/crowd
	$(Q)$(MAKE) --no-print-directory analyze
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) SAN=address,undefined all test-programs
	$(Q)BUILD=build-address-undefined tests/run.sh
	$(Q)BUILD=$(BUILD) tests/valgrind.sh

## bench: every figure beside its peers', measured in the same run
bench: deps-test
	$(Q)tools/deps.sh bench interop peers
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all test-programs
	$(Q)BUILD=$(BUILD) bench/run.sh

## soak: 100,000 forced reconnects; then ten minutes of stomp:// over a bad wire (SOAK_SECONDS=600)
soak: deps-test
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all test-programs
	$(Q)BUILD=$(BUILD) bench/soak.sh

## fuzz: libFuzzer on every door where foreign bytes enter (SECONDS_EACH=60)
fuzz: deps-test
	$(Q)BUILD=$(BUILD) tests/fuzz/run.sh

## claims: doc/claims.md, from the claims of the lab and a run of them on this kernel
claims: deps-test
	$(Q)tools/deps.sh lab
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) $(BUILD)/lastack
	$(Q)$(BUILD)/lastack lab run --all --report doc/claims.md

## analyze: clang --analyze, cppcheck, shellcheck
analyze: deps-test
	$(Q)tools/analyze.sh

## deps: what building, tests and the peers of tests/interop need, from Debian (apt; says what it does)
deps:
	$(Q)tools/deps.sh build test interop lab
deps-build:
	$(Q)tools/deps.sh build
deps-test:
	$(Q)tools/deps.sh build test

## install: program, library, headers, man pages, completion (DESTDIR= PREFIX=)
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCDIR)/lastack \
		$(DESTDIR)$(COMPDIR) $(DESTDIR)$(PREFIX)/share/doc/lastack
	install -m 755 $(BUILD)/lastack $(DESTDIR)$(BINDIR)/lastack
	install -m 644 include/lastack/*.h $(DESTDIR)$(INCDIR)/lastack
	install -m 755 $(BUILD)/liblastack.so.$(VERSION) $(DESTDIR)$(LIBDIR)
	ln -sf liblastack.so.$(VERSION) $(DESTDIR)$(LIBDIR)/liblastack.so.$(ABI)
	ln -sf liblastack.so.$(ABI) $(DESTDIR)$(LIBDIR)/liblastack.so
	install -m 644 $(BUILD)/liblastack.a $(DESTDIR)$(LIBDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|;s|@VERSION@|$(VERSION)|' packaging/lastack.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/lastack.pc
	install -m 644 completions/lastack.bash $(DESTDIR)$(COMPDIR)/lastack
	install -m 644 README.md LICENSE CHANGELOG.md doc/claims.md $(DESTDIR)$(PREFIX)/share/doc/lastack
	for unit in packaging/systemd/*; do \
		install -d $(DESTDIR)$(UNITDIR) && sed -e 's|@PREFIX@|$(PREFIX)|' $$unit \
			> $(DESTDIR)$(UNITDIR)/$${unit##*/}; done
	for page in man/*.[1-9]; do section=$${page##*.}; \
		install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$$section/$${page##*/}; done

## clean: removes everything built
clean:
	rm -rf build build-*

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 23

## test-programs: unit tests, their tools, and the reproducers of tests/leaks/
examples: $(examples)
test-programs: $(units) $(tools)

# ---- who may use whom: ARCHITECTURE.md ----
layers:
	$(Q)tools/layers.sh

# ---- building ----
$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# BPF: a kernel program becomes a header that loads it without any library (a "light skeleton").
bpf_skel := $(if $(filter 1,$(BPF)),$(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.lskel.h,$(wildcard bpf/*.bpf.c)))

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) Makefile
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)clang -target bpf -O2 -g -Wall -Werror -Ibpf -I/usr/include/$(shell $(CC) -dumpmachine) -c -o $@ $<

$(BUILD)/bpf/%.lskel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton -L $< name $* > $@

$(BUILD)/src/observe/holder_bpf.o: $(bpf_skel)
$(BUILD)/src/observe/holder_bpf.o: CPPFLAGS += -Ibpf $(if $(bpf_skel),-DLASTACK_BPF -I$(BUILD)/bpf)

.SECONDARY: $(bpf_skel) $(bpf_skel:.lskel.h=.bpf.o)

$(BUILD)/liblastack.a: $(lib_obj)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/liblastack.so.$(VERSION): $(lib_obj) src/liblastack.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -shared -Wl,-soname,liblastack.so.$(ABI) \
		-Wl,--version-script=src/liblastack.map $(LDFLAGS) -o $@ $(lib_obj) $(LIB_LDLIBS)

$(BUILD)/liblastack.so: $(BUILD)/liblastack.so.$(VERSION)
	$(Q)ln -sf liblastack.so.$(VERSION) $(BUILD)/liblastack.so.$(ABI)
	$(Q)ln -sf liblastack.so.$(ABI) $@

$(BUILD)/lastack: $(cli_obj) $(BUILD)/liblastack.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Everything but main() for the tests, the simulator with it.
$(BUILD)/libtest.a: $(filter-out $(BUILD)/src/cli/main.o,$(cli_obj)) $(lib_obj) $(sim_obj) $(test_support)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(units): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libtest.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libtest.a -lcmocka $(LDLIBS)

# Peers, not parts: each is one file, without the library but with its small headers.
$(tools): $(BUILD)/%: $(BUILD)/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $<

# Examples use the public headers and the library alone, as a stranger's program would.
$(examples): $(BUILD)/%: %.c $(BUILD)/liblastack.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -Iinclude -MMD -MP $(WARN) $(CFLAGS) $(SANFLAGS) -o $@ $< \
		$(BUILD)/liblastack.a $(LIB_LDLIBS)

.SECONDARY: $(call objects,$(unit_src) $(tool_src))
-include $(shell find build build-* -name '*.d' 2>/dev/null)
