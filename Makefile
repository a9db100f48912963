# Shoal. Targets: all (default), lib, docs (its settings), module, static, fuzz, fuzz-lib, deps, demo, test, chaos, asan, lint,
# bench-tracker, bench-superpeer, bench-client (QUICK=1, ONLY=part,..),
# install, clean. V=1 shows the commands; SAN=1 builds with sanitizers.

BUILD   ?= build
# Most tests wait for something: three at once keep two cores busy.
PROVE_FLAGS ?= -j3
PREFIX  ?= /usr/local
DESTDIR ?=
LIBDIR  ?= $(PREFIX)/lib
NGINX_SRC ?= /usr/share/nginx/src
NGINX_MODULES ?= $(PREFIX)/lib/nginx/modules
MODULE  := ngx_http_tracker_module.so

CC      ?= cc
OBJCOPY ?= objcopy
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wvla
ifeq ($(WERROR),1)
WARN    += -Werror
endif
ifeq ($(SAN),1)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer
endif

PKGS_LIB    := libcurl libmicrohttpd gnutls libcrypto jansson expat libxxhash
PKGS_CLIENT := jansson yaml-0.1
PKGS_SUPER  := lmdb yaml-0.1 libcares libsystemd
PKGS_TEST   := cmocka
ALL_CPPFLAGS = -D_GNU_SOURCE -Ilib $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu11 -pthread $(WARN) $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS  = -pthread $(SANFLAGS) $(LDFLAGS)

LIB_SRC    := $(sort $(wildcard lib/*.c))
CLIENT_SRC := $(sort $(wildcard client/*.c))
SUPER_SRC  := $(sort $(wildcard superpeer/*.c))
UNIT_SRC   := $(sort $(wildcard t/unit/*.c))
SIM_SRC    := $(sort $(wildcard bench/sim/*.c))
BENCH_ALONE := bench/delay.c bench/once.c
BENCH_SRC  := $(filter-out $(BENCH_ALONE),$(sort $(wildcard bench/*.c)))
NGX_SRC    := $(sort $(wildcard ngx_tracker_module/*.[ch])) config

LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
CLIENT_OBJ := $(CLIENT_SRC:%.c=$(BUILD)/obj/%.o)
SUPER_OBJ  := $(SUPER_SRC:%.c=$(BUILD)/obj/%.o)
BENCH_OBJ  := $(BENCH_SRC:%.c=$(BUILD)/obj/%.o)
UNIT_BIN   := $(UNIT_SRC:t/unit/%.c=$(BUILD)/unit/%)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-6s %s\n'
endif

.PHONY: all lib docs install-lib module unit static fuzz fuzz-target fuzz-lib deps demo test chaos asan bench-tracker \
    bench-superpeer bench-client lint install clean
.DELETE_ON_ERROR:

all: $(BUILD)/shoal $(BUILD)/shoal.bash $(BUILD)/superpeer lib module

$(BUILD)/obj/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The library's objects are in the shared library and in both archives; only
# what shoal.h declares can be seen from outside of the shared one.
$(LIB_OBJ): ALL_CFLAGS += -fPIC -fvisibility=hidden
$(LIB_OBJ): $(BUILD)/obj/lib/pic

# Those that an older Makefile compiled otherwise are compiled again.
$(BUILD)/obj/lib/pic:
	$(Q)mkdir -p $(@D) && touch $@

# All of it: for the super peer and the unit tests.
$(BUILD)/libshoal.a: $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# What is installed: nothing but shoal_*, so it takes no names of a program's.
LIB_ABI     := 0
LIB_SONAME  := libshoal.so.$(LIB_ABI)
LIB_VERSION := $(shell sed -n 's/^\#define SHOAL_VERSION "\(.*\)"/\1/p' lib/shoal.h)

lib: $(BUILD)/public/libshoal.a $(BUILD)/public/$(LIB_SONAME)

$(BUILD)/public/libshoal.a: $(LIB_OBJ)
	$(say) AR $@
	$(Q)mkdir -p $(@D)
	$(Q)$(LD) -r -o $(@D)/shoal.o $^ && \
	    $(OBJCOPY) --localize-hidden $(@D)/shoal.o && \
	    rm -f $@ && $(AR) rcs $@ $(@D)/shoal.o && rm $(@D)/shoal.o

$(BUILD)/public/$(LIB_SONAME): $(LIB_OBJ)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-soname,$(LIB_SONAME) $(if $(SANFLAGS),,-Wl,-z,defs) \
	    $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs $(PKGS_LIB))
	$(Q)ln -sf $(LIB_SONAME) $(@D)/libshoal.so

# Linked with what is installed: it uses shoal.h and nothing else.
$(BUILD)/shoal: $(CLIENT_OBJ) $(BUILD)/public/libshoal.a
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ \
	    $$(pkg-config --libs $(PKGS_LIB) $(PKGS_CLIENT))

# Made by the client of its table of options.
$(BUILD)/shoal.bash: $(BUILD)/shoal
	$(say) GEN $@
	$(Q)$< --completion=bash >$@

$(BUILD)/superpeer: $(SUPER_OBJ) $(BUILD)/libshoal.a
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@.tmp $^ \
	    $$(pkg-config --libs $(PKGS_LIB) $(PKGS_SUPER)) && rm -rf $@ && mv $@.tmp $@

# What unit tests take of super peer and client: all of it but main().
$(BUILD)/libsuper.a: $(filter-out %/main.o,$(SUPER_OBJ))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libclient.a: $(filter-out %/main.o,$(CLIENT_OBJ))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/unit/%: $(BUILD)/obj/t/unit/%.o $(BUILD)/libsuper.a \
    $(BUILD)/libclient.a $(BUILD)/libshoal.a
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ \
	    $$(pkg-config --libs $(PKGS_LIB) $(PKGS_SUPER) $(PKGS_TEST))

unit: $(UNIT_BIN) $(BUILD)/model/peerset $(BUILD)/bench/load \
    $(BUILD)/bench/delay $(BUILD)/bench/once $(BUILD)/bench/sim

# The tracker's sets of peers alone, against a simple model; always with
# sanitizers: memory is all that they are about.
MODEL_SRC := t/model/peerset.c \
             $(addprefix ngx_tracker_module/ngx_http_tracker_,peerset.c \
             peerset_table.c pick.c)
MODEL_INC := $(addprefix -I$(NGINX_SRC)/src/,core event event/modules os/unix \
             http http/modules http/v2) -I$(BUILD)/nginx -Ingx_tracker_module

$(BUILD)/model/peerset: $(MODEL_SRC) $(NGX_SRC) | $(BUILD)/$(MODULE)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -Wall -W -Wno-unused-parameter -fsanitize=address,undefined \
	    -fno-sanitize-recover=undefined $(MODEL_INC) -o $@ $(MODEL_SRC)

# The benches' load generator.
$(BUILD)/bench/load: $(BENCH_OBJ)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs libcrypto)

# The schedule alone, in a simulated crowd.
SIM_OBJ := $(SIM_SRC:%.c=$(BUILD)/obj/%.o) \
           $(filter $(BUILD)/obj/lib/schedule%,$(LIB_OBJ)) \
           $(BUILD)/obj/lib/blockmap.o $(BUILD)/obj/lib/neighbours.o

$(BUILD)/bench/sim: $(SIM_OBJ)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# A line with a delay, between network namespaces; and what a command takes.
$(BUILD)/bench/delay $(BUILD)/bench/once: $(BUILD)/bench/%: \
    $(BUILD)/obj/bench/%.o
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# The distribution's nginx: configured out of tree, nothing is written to
# $(NGINX_SRC).
module: $(BUILD)/$(MODULE)

$(BUILD)/$(MODULE): $(NGX_SRC)
	$(say) NGX $@
	$(Q)mkdir -p $(BUILD)
	$(Q)NGINX_SRC='$(NGINX_SRC)' BUILDDIR='$(abspath $(BUILD))/nginx' \
	    CC_OPT='$(CFLAGS) $(SANFLAGS)' LD_OPT='$(SANFLAGS) $(LDFLAGS)' \
	    V='$(V)' bash ngx_tracker_module/build.sh
	$(Q)cp $(BUILD)/nginx/$(MODULE) $@

# A small nginx of the distribution's source package, the module compiled in;
# as on a system without eventfd and timerfd, which the other builds do not try.
# nginx 1.22.1 itself does not pass UBSan.
STATIC_SAN = $(if $(SANFLAGS),-fsanitize=address -fno-omit-frame-pointer)
STATIC_OPT = $(CFLAGS) $(STATIC_SAN) -DNGX_HTTP_TRACKER_EVENTFD=0 \
             -DNGX_HTTP_TRACKER_TIMERFD=0 \
             $(if $(SANFLAGS),-DNGX_DEBUG_PALLOC=1)
static: $(BUILD)/static/nginx

$(BUILD)/static/nginx: $(NGX_SRC) ngx_tracker_module/static.sh
	$(say) NGX $@
	$(Q)BUILDDIR='$(abspath $(BUILD))/static' CC_OPT='$(STATIC_OPT)' \
	    LD_OPT='$(STATIC_SAN) $(LDFLAGS)' bash ngx_tracker_module/static.sh

# The tracker's parsers under libFuzzer, inside of nginx (t/fuzz/fuzz.sh).
FUZZ_SECONDS ?= 600
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -shared-libasan
FUZZ_RT   = $(shell clang -print-resource-dir)/lib/linux
FUZZ_ARCH = $(shell uname -m)
FUZZ_SO  := $(BUILD)/fuzz/$(MODULE)

fuzz: $(FUZZ_SO)
	$(Q)bash t/fuzz/fuzz.sh run '$(abspath $(BUILD))/fuzz' $(FUZZ_SECONDS)

fuzz-target: $(FUZZ_SO)

$(FUZZ_SO): $(NGX_SRC) $(wildcard t/fuzz/*.[ch]) t/fuzz/config \
    lib/resource.c lib/digest.c
	$(say) NGX $@
	$(Q)mkdir -p $(@D)
	$(Q)NGINX_SRC='$(NGINX_SRC)' V='$(V)' NGX_CC=clang \
	    BUILDDIR='$(abspath $(@D))/nginx' ADDON='$(CURDIR)/t/fuzz' \
	    FUZZ_LIBS='$(FUZZ_RT)/libclang_rt.fuzzer_no_main-$(FUZZ_ARCH).a -lstdc++' \
	    CC_OPT='-O1 -g -D_GNU_SOURCE -fsanitize=fuzzer-no-link $(FUZZ_SAN)' \
	    LD_OPT='$(FUZZ_SAN) -Wl,-rpath,$(FUZZ_RT) -Wl,-Bsymbolic' \
	    bash ngx_tracker_module/build.sh
	$(Q)cp $(@D)/nginx/$(@F) $@

# The parsers of library, client and super peer under libFuzzer
# (t/fuzz/lib.sh).
FUZZ_LIB_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_LIB_OBJ := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(LIB_SRC) \
                $(filter-out superpeer/main.c,$(wildcard superpeer/*.c)) \
                $(filter-out client/main.c,$(wildcard client/*.c)) \
                $(wildcard t/fuzz/lib/*.c))

$(BUILD)/fuzz/obj/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)clang $(ALL_CPPFLAGS) -std=gnu11 -pthread -O1 -g $(FUZZ_LIB_SAN) \
	    -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/lib: $(FUZZ_LIB_OBJ)
	$(say) LD $@
	$(Q)clang -pthread $(FUZZ_LIB_SAN) -fsanitize=fuzzer -o $@ $^ \
	    $$(pkg-config --libs $(PKGS_LIB) $(PKGS_SUPER))

fuzz-lib: $(BUILD)/fuzz/lib
	$(Q)bash t/fuzz/lib.sh run '$(BUILD)/fuzz/lib' $(FUZZ_SECONDS)

deps:
	$(Q).ci/deps

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)SHOAL_BUILD='$(abspath $(BUILD))' perl -It/lib demo/demo.pl

# The suite in folder $(1), with these variables. What fails beside others is
# run again alone, and has to pass there: so much happens at once that a
# deadline may be missed on a busy machine.
prove = state='$(abspath $(1))/prove.state'; run() { \
    SHOAL_BUILD='$(abspath $(1))' $(2) prove -It/lib --statefile "$$state" "$$@"; }; \
    rm -f "$$state"; run $(PROVE_FLAGS) --state=save -r t \
    || { echo '==> again, alone:'; run --state=failed,save; }

test: deps
	$(Q)$(MAKE) --no-print-directory all unit
	$(Q)$(call prove,$(BUILD),)

# Scenarios of random faults: make chaos SEEDS=1..300, SEEDS=4711.
SEEDS ?= 1..300
chaos: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)SHOAL_SAN='$(SAN)' SHOAL_BUILD='$(abspath $(BUILD))' perl -It/lib t/chaos/chaos.pl $(SEEDS)

asan: deps
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SAN=1 \
	    CFLAGS='-O1 -g' all unit
	$(Q)$(call prove,$(BUILD)/asan,SHOAL_SAN=1)

bench-tracker:
	$(Q).ci/deps build bench
	$(Q)$(MAKE) --no-print-directory module $(BUILD)/bench/load
	$(Q)SHOAL_BUILD='$(abspath $(BUILD))' perl bench/tracker.pl

bench-superpeer:
	$(Q).ci/deps build bench
	$(Q)$(MAKE) --no-print-directory $(BUILD)/superpeer $(BUILD)/bench/load \
	    $(BUILD)/bench/delay
	$(Q)SHOAL_BUILD='$(abspath $(BUILD))' perl bench/superpeer.pl

bench-client:
	$(Q).ci/deps build bench
	$(Q)$(MAKE) --no-print-directory all $(BUILD)/bench/delay \
	    $(BUILD)/bench/once $(BUILD)/bench/sim
	$(Q)SHOAL_BUILD='$(abspath $(BUILD))' perl bench/client.pl

lint:
	$(Q).ci/lint

# The table of settings in docs/library.md, from the library's own.
docs: lib
	$(Q)$(CC) -Ilib -pthread -o $(BUILD)/driver t/library/driver.c \
	    $(BUILD)/public/libshoal.a $$(pkg-config --libs $(PKGS_LIB))
	$(Q)sed '/^### Files/,$$d' docs/library.md >$(BUILD)/library.md
	$(Q)$(BUILD)/driver settings | tail -n +2 >>$(BUILD)/library.md
	$(Q)mv $(BUILD)/library.md docs/library.md

install-lib: lib
	install -D -m 644 lib/shoal.h $(DESTDIR)$(PREFIX)/include/shoal.h
	install -D -m 644 $(BUILD)/public/libshoal.a $(DESTDIR)$(LIBDIR)/libshoal.a
	install -D -m 755 $(BUILD)/public/$(LIB_SONAME) \
	    $(DESTDIR)$(LIBDIR)/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/libshoal.so
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@LIBDIR@,$(LIBDIR),' \
	    -e 's,@VERSION@,$(LIB_VERSION),' \
	    -e "s,@LIBS@,$$(pkg-config --libs $(PKGS_LIB))," lib/shoal.pc.in \
	    >$(DESTDIR)$(LIBDIR)/pkgconfig/shoal.pc

install: all install-lib
	install -D -m 755 $(BUILD)/shoal $(DESTDIR)$(PREFIX)/bin/shoal
	install -D -m 755 $(BUILD)/superpeer $(DESTDIR)$(PREFIX)/sbin/superpeer
	install -D -m 644 $(BUILD)/$(MODULE) \
	    $(DESTDIR)$(NGINX_MODULES)/$(MODULE)
	install -D -m 644 docs/shoal.1 $(DESTDIR)$(PREFIX)/share/man/man1/shoal.1
	install -D -m 644 $(BUILD)/shoal.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/shoal
	install -D -m 644 docs/superpeer.8 \
	    $(DESTDIR)$(PREFIX)/share/man/man8/superpeer.8

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJ:.o=.d) $(CLIENT_OBJ:.o=.d) $(SUPER_OBJ:.o=.d)
-include $(SIM_SRC:%.c=$(BUILD)/obj/%.d)
-include $(BENCH_OBJ:.o=.d) $(BENCH_ALONE:%.c=$(BUILD)/obj/%.d)
-include $(FUZZ_LIB_OBJ:.o=.d)
-include $(UNIT_SRC:%.c=$(BUILD)/obj/%.d)
