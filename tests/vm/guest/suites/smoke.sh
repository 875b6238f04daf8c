# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The module comes, shows its cards where a stock system looks, and goes.

insmod_loads() {
	unload_module && modprobe -n -v oac && modprobe oac || return
	grep '^oac ' /proc/modules
}

lspci_names_driver() {
	lspci -vv -d "$PCI_ID" >/tmp/lspci
	count=$(grep -c 'Kernel driver in use: oac' /tmp/lspci)
	[ "$count" -eq "$CARDS" ] && return
	cat /tmp/lspci
	echo "$count of $CARDS cards have the driver"
	return 1
}

nodes_appear() { load_module && has_nodes "$CARDS" && nodes; }

nodes_are_of_the_right_kind() {
	has_nodes "$CARDS" || return
	kind=/dev/dri/renderD
	[ ! -d /sys/class/accel ] || kind=/dev/accel/accel
	nodes | while read -r node; do
		[ -c "$node" ] || exit
		case $node in $kind*) ;; *) echo "$node, not $kind"; exit 1 ;; esac
	done
}

hwmon_registers() {
	count=$(grep -l '^oac' /sys/class/hwmon/hwmon*/name | wc -l)
	echo "$count hwmon device(s) for $CARDS card(s)"
	[ "$count" -eq "$CARDS" ]
}

sensors_shows() {
	sensors >/tmp/sensors 2>&1
	cat /tmp/sensors
	# a paragraph per chip; every card's has a line with the unit
	count=$(awk -v unit="$1" '/^oac/ && $0 ~ unit' RS= /tmp/sensors |
		grep -c '^oac')
	echo "$count of $CARDS cards show $1"
	[ "$count" -eq "$CARDS" ]
}

# DRM_IOCTL_VERSION on standard input: nothing, or the error
# shellcheck disable=SC2016 # perl's variables
IOCTL_VERSION='$b = "\0" x 64;
	exit 0 if ioctl(STDIN, 0xc0406400, $b);
	printf "%d %s\n", $!, $!; exit 1'
ENODEV='19 '

rmmod_works() {
	unload_module || return
	[ -z "$(nodes)" ] && ! grep '^oac ' /proc/modules
}

rmmod_refuses_while_open() {
	load_module || return
	exec 9<"$(nodes | head -n 1)" || return
	if rmmod oac >/tmp/rmmod 2>&1; then
		echo "rmmod took the code away under an open file"
		return 1
	fi
	cat /tmp/rmmod
	grep -q 'in use' /tmp/rmmod && perl -e "$IOCTL_VERSION" <&9
}

unbind_while_open_gives_enodev() {
	load_module || return
	node=$(nodes | head -n 1)
	exec 9<"$node" || return
	for device in "$DRIVER"/*:*; do
		echo "${device##*/}" >"$DRIVER/unbind" || return
	done
	if [ -n "$(nodes)" ] || (: <"$node") 2>/dev/null; then
		echo "$node can still be opened"
		return 1
	fi
	answer=$(perl -e "$IOCTL_VERSION" <&9)
	echo "the holder's ioctl says: ${answer:-success}"
	case $answer in "$ENODEV"*) ;; *) return 1 ;; esac
	exec 9<&-
	rmmod oac
}

check insmod insmod_loads
check device-nodes nodes_appear
check node-kind nodes_are_of_the_right_kind
check lspci-driver lspci_names_driver
check hwmon hwmon_registers
check sensors-temperature sensors_shows 'C '
check sensors-power sensors_shows ' m?W'
check rmmod-refused-while-open rmmod_refuses_while_open
check rmmod rmmod_works
check unbind-while-open unbind_while_open_gives_enodev
check insmod-again load_module
