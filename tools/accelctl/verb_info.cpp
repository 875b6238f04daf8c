// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl info: all that is known about a card.
#include "verb.hpp"

#include "pci_facts.hpp"
#include "telemetry.hpp"

namespace accelctl
{

namespace
{

tree firmware_of(const card &of)
{
	tree out;

	of.put(out, "version", ACCEL_STRING_FIRMWARE_VERSION, "no firmware is running");
	of.put(out, "security_version", ACCEL_NUMBER_SECURITY_VERSION);
	of.put(out, "protocol", ACCEL_STRING_PROTOCOL, "no protocol is agreed on");
	of.put(out, "fail_reason", ACCEL_STRING_FAIL_REASON, "the firmware has not failed");
	return out;
}

tree features_of(const card &of)
{
	constexpr struct {
		accel_number which;
		const char *name;
	} features[] = {
		{ ACCEL_NUMBER_FEATURE_USER_SUBMIT, "user_submit" },
		{ ACCEL_NUMBER_FEATURE_WRAP, "wrap" },
		{ ACCEL_NUMBER_FEATURE_SYNC, "sync" },
		{ ACCEL_NUMBER_FEATURE_PEER, "peer" },
	};
	tree out = tree::array();

	for (const auto &feature : features) {
		if (of.number(feature.which).value_or(0))
			out.push_back(feature.name);
	}
	return out;
}

tree capabilities_of(const card &of)
{
	tree out;

	of.put(out, "local_memory_bytes", ACCEL_NUMBER_LOCAL_MEMORY_BYTES);
	of.put(out, "engines", ACCEL_NUMBER_ENGINES);
	of.put(out, "engine_clock_hertz", ACCEL_NUMBER_ENGINE_CLOCK_HZ);
	if (const auto limit = of.number(ACCEL_NUMBER_POWER_LIMIT_MILLIWATTS))
		out["power_limit_watts"] = static_cast<double>(*limit) / 1000;
	else
		set_absent(out, "power_limit_watts", "not known for this card");
	of.put(out, "max_contexts", ACCEL_NUMBER_MAX_CONTEXTS);
	of.put(out, "max_queues", ACCEL_NUMBER_MAX_QUEUES);
	of.put(out, "max_queue_depth", ACCEL_NUMBER_MAX_QUEUE_DEPTH);
	out["data_types"] = tree::array();
	if (of.number(ACCEL_NUMBER_FEATURE_INT8).value_or(0))
		out["data_types"].push_back("int8");
	if (of.number(ACCEL_NUMBER_FEATURE_FP32).value_or(0))
		out["data_types"].push_back("fp32");
	out["features"] = features_of(of);
	return out;
}

tree use_of(const card &of)
{
	tree out;

	of.put(out, "contexts", ACCEL_NUMBER_CONTEXTS);
	of.put(out, "queues", ACCEL_NUMBER_QUEUES);
	of.put(out, "local_memory_free_bytes", ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES);
	of.put(out, "resets", ACCEL_NUMBER_RESET_COUNT);
	return out;
}

void fill_row(card &of, tree &row)
{
	of.put(row, "model", ACCEL_STRING_MODEL, "no firmware is running");
	of.put(row, "state", ACCEL_STRING_STATE, "the card does not tell");
	of.put(row, "backend", ACCEL_STRING_BACKEND, "unknown");
	of.put(row, "node", ACCEL_STRING_NODE, "the card is emulated in this process");
	of.put(row, "numa_node", ACCEL_NUMBER_NUMA_NODE);
	of.put(row, "pci_address", ACCEL_STRING_PCI_ADDRESS, "the card is on no bus of this host");
	if (const auto address = of.string(ACCEL_STRING_PCI_ADDRESS))
		row["pci"] = pci_facts(*address);
	else
		set_absent(row, "pci", "the card is on no bus of this host");
	row["firmware"] = firmware_of(of);
	row["capabilities"] = capabilities_of(of);
	row["use"] = use_of(of);
	const telemetry now(of);
	row["sensors"] = now.sensors();
	row["counters"] = now.counters();
}

} // namespace

void add_info(CLI::App &app, session &s)
{
	const auto run = [&s] {
		report out("info");
		card_set(s.set, unselected::all).visit(out, order::one_by_one, fill_row);
		return out;
	};
	CLI::App *const verb = add_verb(app, s,
					{ "info", "Show all that is known about cards",
					  "info -d 0\n"
					  "info -d /dev/accel/accel0 -o json\n"
					  "info --all" },
					run);
	add_selection(*verb, s);
}

} // namespace accelctl
