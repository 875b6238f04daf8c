# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# A real network on every card, against the host's own arithmetic.

# Value of a top-level number in the example's report.
figure() {
	sed 's/[,{}]/\n/g' /tmp/demo.json |
		sed -n "s/^ *\"$1\" *: *\([-+.eE0-9]*\) *\$/\1/p" | head -n 1
}

digits_runs() {
	/test/digits --cards "$CARDS" --json /tmp/demo.json \
		--data /test/digits.csv.gz
}

# figure_is NAME awk-condition-on-v
figure_is() {
	value=$(figure "$1")
	echo "$1 is ${value:-absent}"
	[ -n "$value" ] && awk -v v="$value" "BEGIN { exit !($2) }"
}

check digits-module-loaded load_module
check digits-runs digits_runs
check digits-cards figure_is cards "v == $CARDS"
check digits-mismatches figure_is mismatches "v == 0"
check digits-accuracy-int8 figure_is accuracy_int8 "v >= 0.95"
[ ! -e /tmp/demo.json ] || note "digits: $(tr -s ' \n\t' ' ' </tmp/demo.json)"
