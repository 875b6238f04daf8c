// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The faults of one card: which wait, which hold, what they do where, and a log of all of it. It is
// called on the card's thread, or while that stands still. A card with no fault left is let go: it
// then pays nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include <model/card.hpp>
#include <model/fault_hooks.hpp>

#include "catalogue.hpp"
#include "trigger.hpp"

namespace oac::emu::control
{

/* One line of the injector's log. */
struct log_line {
	std::uint64_t seq, card_ns;
	unsigned id; /* of the fault; 0: none */
	std::string_view what; /* injected, fired, healed, cleared */
	std::string subject; /* name of the fault, or what a plan does */
	std::string detail;
};

struct injection {
	const fault_kind *kind = nullptr; /* null: then plan is called */
	arguments args;
	trigger at;
	std::uint64_t times = 1; /* 0: without end */
	double probability = 1;
	std::uint64_t seed = 1;
	std::function<std::string()> plan; /* returns what it did */
	std::string subject; /* of a plan */
};

class injector final : public fault_hooks
{
public:
	explicit injector(card &of) : card_(of) {}
	~injector() override;
	injector(const injector &) = delete;
	injector &operator=(const injector &) = delete;

	struct fault_state {
		enum class phase { waits, acts, holds, done };

		injection what;
		unsigned id = 0;
		phase now = phase::waits;
		std::uint64_t counted = 0, fired = 0;
		std::uint64_t due_ns = 0, ends_ns = 0;
		unsigned queue = 0; /* that holds the frozen command */
		std::uint64_t sent = 0, began_ns = 0; /* of a storm */
		dice luck{ 1 };
	};

	/* Its id. What is due at once is done when this returns. */
	unsigned inject(injection what);
	/* 0: all. false: no such fault. */
	bool clear(unsigned id);

	const std::list<fault_state> &faults() const { return faults_; }
	const std::deque<log_line> &log() const { return log_; }
	bool is_dead() const { return shown_.is_dead; }
	card &target() { return card_; }

	/* For the card: see fault_hooks.hpp. */
	void on_access() override;
	void on_register(std::uint64_t offset, std::uint32_t &value) override;
	void on_config(std::uint64_t offset, std::span<std::byte> value) override;
	bool on_doorbell(queue_name at) override;
	bool on_interrupt(unsigned vector) override;
	bool on_dma(bool is_window) override;
	fate on_command(queue_name at, const oac_cmd &cmd, outcome &how) override;
	post_order on_completion(queue_name at, const oac_completion &entry) override;
	void on_tail(queue_name at, std::uint32_t &tail) override;
	void on_progress(queue_name at, oac_progress &line) override;
	void on_answer(unsigned engine, std::span<std::byte> out) override;
	bool on_admin(const oac_admin_cmd &cmd) override;
	void on_admin_data(const oac_admin_cmd &cmd, std::span<std::byte> data) override;
	post_order on_admin_answer(const oac_admin_cmd &cmd, const oac_completion &entry) override;
	void on_unmap(std::uint64_t bus_address, std::uint64_t length) override;
	bool releases(unsigned queue, rung how) override;
	unsigned on_boot_step(std::uint32_t state, bool &hangs) override;
	void on_booted() override;
	bool on_reset(rung how) override;
	void after_reset(rung how) override;
	bool on_step() override;
	std::optional<std::uint64_t> next_ns() const override;

private:
	/* Done between two steps. */
	struct later {
		std::uint64_t due_ns;
		unsigned id;
		std::function<std::string()> work;
	};

	/* Counts what happens; faults whose time has come act from now on. */
	void happens(happening what, const place &where);
	/* Does the fault act here and now? It then has fired. */
	bool hits(fault which, happening on, const place &where, fault_state *&hit);
	bool hits(fault which, happening on, const place &where)
	{
		fault_state *hit;
		return hits(which, on, where, hit);
	}
	fault_state *holding(fault which);
	const fault_state *holding(fault which) const;

	void reach(fault_state &f);
	void fire(fault_state &f);
	void fire_on_card(fault_state &f);
	void hold(fault_state &f);
	std::string start(fault_state &f);
	void heal(fault_state &f, std::string_view why);
	void stop(fault_state &f);
	void set_conditions();
	void attach();
	void do_due(std::uint64_t now);
	bool do_later(std::uint64_t now);
	void storm(fault_state &f, std::uint64_t now);
	void annotate(unsigned id, const std::string &said);
	void write(const fault_state &f, std::string_view what, std::string detail);
	std::int64_t value_or_random(fault_state &f, std::uint64_t limit);

	void disturb(queue_name at, std::optional<unsigned> opcode, post_order &order);
	void corrupt(fault_state &f, posted_completion &what);
	bool lie_in_identify(fault_state &f, std::span<std::byte> data);
	bool lie_in_log(fault_state &f, std::span<std::byte> data);
	bool is_malicious_now(fault_state *&who);

	card &card_;
	std::list<fault_state> faults_; /* in the order of injection */
	std::vector<later> later_;
	std::deque<log_line> log_;
	std::uint64_t next_seq_ = 1;
	unsigned next_id_ = 1;
	bool is_attached_ = false;
	bool is_sram_lost_ = false; /* the next EXEC finds out */
	bool is_refusing_ = false; /* the transfer that follows a refused window */
	std::uint32_t boot_state_ = 0;
	conditions shown_;
	std::map<unsigned, std::vector<oac_completion>> held_; /* by queue: for reordering */
	std::map<unsigned, std::deque<oac_completion>> past_; /* by queue: for replay */
};

} // namespace oac::emu::control
