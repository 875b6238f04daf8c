// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One fault on one card under verified load, and what was seen of it: when and by whom it was noticed,
// the rung that was reached, the next good answer, what was lost. Then the fault is taken out and the
// card must be as good as before.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "../support/card_port.hpp"
#include "cases.hpp"
#include "load.hpp"

namespace faults
{

/* An open card with a way to its control requests. */
class patient
{
public:
	explicit patient(const std::string &name);

	accel::device &device() { return *device_; }
	const support::card_port &port() const { return port_; }
	bool is_kernel() const { return is_kernel_; }
	/* What its control requests tell for the first time, of all that ever happened to it. */
	nlohmann::json new_log();
	/* Closes it and opens it anew; where the kernel has it, after a reset by the PCI core. */
	void open_anew();

private:
	std::string name_, address_;
	bool is_kernel_;
	std::optional<accel::device> device_;
	support::card_port port_;
	std::uint64_t next_line_ = 1;
};

/* A row. */
struct finding {
	std::string noticed_by; /* empty: by nobody */
	double noticed_ms = 0, good_ms = 0;
	std::string rung = "none", lost = "nothing", by_hand;

	std::string json(const std::string &fault) const;
};

class trial
{
public:
	trial(patient &on, const fault_case &what);

	/* Failures are the test's. */
	finding run();

private:
	void prepare();
	void start();
	void watch();
	void meet_it();
	void take_events();
	void note(std::uint64_t ns, const std::string &by);
	void look_whether_fired();
	bool is_over() const;
	bool has_settled() const;
	bool must_be_told() const;
	void check_health_while_it_holds();
	void judge();
	std::string what_was_lost();
	std::string look_at_local_memory();
	std::string look_until_seen();
	void heal();
	bool works_again(unsigned seconds);

	patient &on_;
	const fault_case &what_;
	finding found_;
	std::optional<load> load_;
	std::optional<accel::event_stream> stream_;
	std::optional<accel::context> bystander_;
	std::optional<accel::buffer> local_;
	std::array<accel::rung_history, ACCEL_RUNG_COUNT> before_{};

	unsigned id_ = 0;
	std::uint64_t injected_ns_ = 0, fired_ns_ = 0, noticed_ns_ = 0;
	std::uint64_t fired_before_ns_ = 0; /* fired_ns_ is known so well only */
	bool is_named_by_cause_ = false, has_crashed_ = false;
	bool is_recovering_ = false, is_at_end_ = false;
	unsigned recoveries_ = 0; /* without a good answer between them */
	std::uint64_t failed_engines_ = 0;
};

} // namespace faults
