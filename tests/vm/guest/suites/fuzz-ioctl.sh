# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Programs of calls, steered by what they run of the module, for OAC_FUZZ_SECONDS (60). Needs the
# debug kernel. What is found is shown as base64: OAC_FUZZ_INPUT takes it, and is all that runs then.

fuzz_slow=${OAC_TEST_SLOW:-1}
fuzz_dir=/tmp/fuzz

# Limits are met soon by who has no rights, and what hangs is found soon.
load_narrow() {
	modprobe oac user_contexts=3 user_queues=4 context_queues=2 context_maps=3 user_local_mib=1 \
		user_host_mib=1 fence_timeout_ms=100 watchdog_ms=100 hang_ms=$((1000 * fuzz_slow)) \
		admin_timeout_ms=$((2000 * fuzz_slow)) &&
		wait_until 30 has_nodes "$CARDS"
}

fuzz() {
	mkdir -p $fuzz_dir/corpus
	[ -x /test/fuzz_ioctl ] || {
		echo "fuzz_ioctl is not in the guest: cmake --preset fuzz && cmake --build --preset fuzz"
		return 1
	}
	# an oops ends the fuzzer; the guest must be able to say at what
	echo 0 >/proc/sys/kernel/panic_on_oops
	if [ -n "$OAC_FUZZ_INPUT" ]; then
		echo "$OAC_FUZZ_INPUT" | base64 -d >$fuzz_dir/input
		OAC_FUZZ_TELL=1 OAC_FUZZ_LAST=$fuzz_dir/last /test/fuzz_ioctl -runs=20 $fuzz_dir/input
	else
		OAC_FUZZ_SEEDS=$fuzz_dir/corpus OAC_FUZZ_LAST=$fuzz_dir/last /test/fuzz_ioctl \
			-max_total_time="${OAC_FUZZ_SECONDS:-60}" -max_len=128 -len_control=0 \
			-timeout=300 -print_final_stats=1 -artifact_prefix=$fuzz_dir/found- \
			$fuzz_dir/corpus
	fi
}

# Also what was fine for the fuzzer, but not for the kernel: the last input is near the cause.
show_found() {
	[ ! -s /tmp/splats ] || cp $fuzz_dir/last $fuzz_dir/found-last
	for fuzz_found in "$fuzz_dir"/found-*; do
		[ ! -e "$fuzz_found" ] || note "$fuzz_found: $(base64 "$fuzz_found" | tr -d '\n')"
	done
}

check module-loaded load_narrow
check fuzz fuzz
grep -E '^fuzz_ioctl: |^stat::|DONE' /tmp/output >$fuzz_dir/said
[ -z "$OAC_FUZZ_INPUT" ] || cp /tmp/output $fuzz_dir/said
explain $fuzz_dir/said
show_found
# A thread that died of an oops has its locks for ever: the guest would not end.
if dmesg | grep -q 'Oops' || grep -q 'Oops' /tmp/splats; then
	echo c >/proc/sysrq-trigger
fi
echo 1 >/proc/sys/kernel/panic_on_oops
unset ACCEL_DEVICES ACCEL_EMU
gtest card-works-again /test/test_abi '--gtest_filter=submit.carries_out_one_command_and_a_batch'
check module-goes unload_module
