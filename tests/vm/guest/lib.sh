# shellcheck shell=sh disable=SC2034 # names are used by suites
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# What suites are written with. Each result is one line on standard output:
# "run NAME", then "ok NAME: MS ms", "not ok NAME: LAST LINE" or
# "skip NAME: REASON"; lines beginning with "# " explain the one above. A NAME
# has no blank and no colon.

note() { echo "# $*"; }

now_ms() {
	read -r uptime _ </proc/uptime
	echo "${uptime%.*}${uptime#*.}0"
}

# The kernel's new complaints, with the lines after each; empties the log.
new_splats() { dmesg -c | grep -E -A 12 -f /splat.regex | head -n 60; }

explain() { sed 's/^/# /' "$1"; }

last_line() { grep -v '^[[:space:]]*$' "$1" | tail -n 1 | cut -c 1-300; }

# verdict NAME STATUS MS OUTPUT: one result, as the program gave it
verdict() {
	case $2 in
	0) echo "ok $1: $3 ms" ;;
	77) echo "skip $1: $(last_line "$4")" ;;
	*)
		echo "not ok $1: $(last_line "$4") [exit $2]"
		tail -n 40 "$4" >/tmp/tail
		explain /tmp/tail ;;
	esac
}

# A failure named NAME if the kernel complained since the last look.
splats() {
	new_splats >/tmp/splats
	[ -s /tmp/splats ] || return 0
	echo "not ok $1: kernel: $(head -n 1 /tmp/splats)"
	explain /tmp/splats
}

# check NAME COMMAND...: one test. A function may be the command; it runs in a
# subshell. Exit 77 skips; the last line said is the reason.
check() {
	check_name=$1
	shift
	echo "run $check_name"
	check_start=$(now_ms)
	("$@") >/tmp/output 2>&1
	check_status=$?
	check_ms=$(($(now_ms) - check_start))
	check_splats=$(splats "$check_name")
	if [ -n "$check_splats" ]; then
		echo "$check_splats"
	else
		verdict "$check_name" "$check_status" "$check_ms" /tmp/output
	fi
}

# wait_until SECONDS COMMAND...: for what sends no event to a shell
wait_until() {
	wait_end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$wait_end" ] || return 1
		sleep 0.05
	done
}

# gtest PREFIX BINARY ARGS...: each of its test cases is a test here.
gtest() {
	gtest_prefix=$1 gtest_case='' gtest_count=0
	shift
	echo "run $gtest_prefix"
	echo 0 >/tmp/gtest-count
	if [ ! -x "$1" ]; then
		echo "not ok $gtest_prefix: $1 is not in the guest"
		return
	fi
	{
		"$@" --gtest_color=no 2>&1
		echo $? >/tmp/gtest-status
	} | while IFS= read -r gtest_line; do
		gtest_line "$gtest_line"
		echo "$gtest_count $gtest_case" >/tmp/gtest-count
	done
	read -r gtest_count gtest_case </tmp/gtest-count
	read -r gtest_status </tmp/gtest-status
	if [ -n "$gtest_case" ]; then
		verdict "$gtest_prefix/$gtest_case" "$gtest_status" 0 /tmp/output
	elif [ "${gtest_count:-0}" = 0 ]; then
		echo "not ok $gtest_prefix: ran no test [exit $gtest_status]"
	elif [ "$gtest_status" -gt 1 ]; then
		echo "not ok $gtest_prefix: ended with $gtest_status"
	fi
	splats "$gtest_prefix"
}

# One line of a gtest program. Only the first verdict after RUN counts: the
# closing summary repeats the failures. A line "note: ..." is shown as it comes.
gtest_line() {
	case $1 in
	'[ RUN      ] '*)
		gtest_case=${1#'[ RUN      ] '}
		echo "run $gtest_prefix/$gtest_case"
		: >/tmp/output
		return ;;
	'[       OK ] '* | '[  SKIPPED ] '* | '[  FAILED  ] '*)
		[ -n "$gtest_case" ] || return 0 ;;
	'note: '*)
		note "$gtest_prefix/$gtest_case: ${1#note: }"
		return ;;
	*)
		echo "$1" >>/tmp/output
		return ;;
	esac
	gtest_ms=${1##*(}
	gtest_ms=${gtest_ms%% *}
	case $1 in
	'[       OK ] '*) gtest_status=0 ;;
	'[  SKIPPED ] '*) gtest_status=77 ;;
	*) gtest_status=1 ;;
	esac
	verdict "$gtest_prefix/$gtest_case" "$gtest_status" "$gtest_ms" /tmp/output
	# the program does not wait for us: a later case may be the culprit
	splats "$gtest_prefix/$gtest_case.or-later"
	gtest_case=''
	gtest_count=$((gtest_count + 1))
}

# --- the debug kernel ----------------------------------------------------------

FAULTS=/sys/kernel/debug

is_debug_kernel() { [ -e /sys/kernel/debug/kmemleak ]; }

# A process that counts on its fail-nth gets every kind of failure, without a
# report of each in the log: those would look like complaints. Allocations of
# the debuggers themselves never fail: one or two and they give up for good.
arm_fail_nth() {
	for fault_slab in /sys/kernel/slab/*/failslab; do
		case $fault_slab in
		*/kmemleak_* | */debug_objects_cache/*) ;;
		*) echo 1 >"$fault_slab" || return ;;
		esac
	done
	echo Y >"$FAULTS/failslab/cache-filter" || return
	for fault_kind in failslab fail_page_alloc fail_usercopy; do
		echo 0 >"$FAULTS/$fault_kind/verbose" || return
	done
	echo N >"$FAULTS/failslab/ignore-gfp-wait" &&
		echo N >"$FAULTS/fail_page_alloc/ignore-gfp-wait" &&
		echo N >"$FAULTS/fail_page_alloc/ignore-gfp-highmem" &&
		echo 0 >"$FAULTS/fail_page_alloc/min-order"
}

# kmemleak's reports that the module has a part in: it is named, or an address
# has no name any more because the module went. All else is built in.
leaks() {
	awk '/^unreferenced object/ { show() }
		{ text = text $0 "\n" }
		/\[oac\]/ || /\] 0xffff/ { ours = 1 }
		function show() {
			if (ours) printf "%s", text
			text = ""; ours = 0
		}
		END { show() }' /sys/kernel/debug/kmemleak
}

# Only what two scans found unreferenced and is older than five seconds is
# reported; nothing tells when that is.
no_leaks() {
	echo scan >/sys/kernel/debug/kmemleak || return
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak && leaks >/tmp/leaks || return
	[ ! -s /tmp/leaks ] && return
	cat /tmp/leaks
	echo "$(grep -c '^unreferenced' /tmp/leaks) object(s) leaked"
	return 1
}

# What a suite ends with there.
leak_check() { ! is_debug_kernel || check kmemleak no_leaks; }

# --- the card, as seen from a suite ------------------------------------------

PCI_ID=1234:0ac1
DRIVER=/sys/bus/pci/drivers/oac

# Nodes of our cards: accel where the kernel has it, else render nodes.
nodes() {
	for node_class in accel drm; do
		for node_dir in "$DRIVER"/*/"$node_class"/*; do
			[ -e "$node_dir/uevent" ] || continue
			node=/dev/$(sed -n 's/^DEVNAME=//p' "$node_dir/uevent")
			case $node in
			/dev/accel/accel* | /dev/dri/renderD*) echo "$node" ;;
			esac
		done
	done
}

has_nodes() { [ "$(nodes | wc -l)" -eq "$1" ]; }

# 1 if the cards have a path to each other's memory, else 0: for the tests' OAC_TEST_PEER.
peer_path() {
	[ "$TOPOLOGY" = switch ] && grep -q ' pci_p2pdma_distance_many$' /proc/kallsyms &&
		echo 1 || echo 0
}

load_module() {
	[ -e /sys/module/oac ] || modprobe oac || return
	wait_until 30 has_nodes "$CARDS" && return
	echo "expected $CARDS node(s), have: $(nodes)"
	return 1
}

unload_module() { [ ! -e /sys/module/oac ] || rmmod oac; }

# What a module built with GCOV=1 has counted, to the host: see run.py.
send_counters() {
	[ -n "$OAC_TEST_COVERAGE" ] || return 0
	mkdir /tmp/counters
	find /sys/kernel/debug/gcov -name '*.gcda' | while read -r counter; do
		cat "$counter" >"/tmp/counters/${counter##*/}"
	done
	tar -cz -C /tmp/counters . | base64 | sed 's/^/# counters /'
}
