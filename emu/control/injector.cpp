// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The life of a fault: it waits for its trigger, then acts where it is to act, or on the card at
// once; one that lasts holds until it heals. What they do at each place is in injector_hooks.cpp.
#include "injector.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include <hw/oac_regs.h>
#include <linux/pci_regs.h>

namespace oac::emu::control
{

namespace
{

constexpr std::size_t LOG_LINES = 4096, FAULTS_KEPT = 256;
constexpr std::uint64_t NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000;
constexpr std::uint64_t STORM_NS = NS_PER_MS;

using phase = injector::fault_state::phase;

/* Holds for certain, and then it is chance what it does. */
bool is_chance_later(const fault_kind *kind)
{
	return kind && (kind->id == fault::malicious || kind->id == fault::config_garbage);
}

std::string hex(std::uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%#" PRIx64, value);
	return text;
}

} // namespace

bool place::fits(const arguments &wanted) const
{
	const auto agrees = [&](parameter which, const std::optional<unsigned> &here) {
		return !here || !wanted.has(which) || wanted.get(which, 0) == *here;
	};

	/* the admin queue is only meant by who names it */
	if (queue && *queue == 0 && !wanted.has(parameter::queue))
		return false;
	return agrees(parameter::queue, queue) && agrees(parameter::context, context) &&
	       agrees(parameter::opcode, opcode) && agrees(parameter::vector, vector);
}

injector::~injector()
{
	clear(0);
	card_.set_hooks(nullptr);
}

unsigned injector::inject(injection what)
{
	const std::uint64_t now = card_.now_ns();
	if (faults_.size() >= FAULTS_KEPT && later_.empty())
		faults_.remove_if([](const fault_state &f) { return f.now == phase::done; });
	fault_state &f = faults_.emplace_back();

	f.what = std::move(what);
	f.id = next_id_++;
	f.luck = dice(f.what.seed);
	const trigger &at = f.what.at;
	f.due_ns = now + at.after_ns.value_or(0);
	write(f, "injected", "");
	if (at.on == happening::none && !at.after_ns)
		reach(f);
	const unsigned id = f.id;
	do_later(now);
	attach();
	return id;
}

bool injector::clear(unsigned id)
{
	bool has_any = id == 0;

	for (fault_state &f : faults_) {
		if ((id != 0 && f.id != id) || f.now == phase::done)
			continue;
		has_any = true;
		std::erase_if(later_, [&](const later &each) { return each.id == f.id; });
		const bool has_held = f.now == phase::holds;
		f.now = phase::done;
		if (has_held)
			stop(f);
		write(f, "cleared", "");
	}
	set_conditions();
	do_later(card_.now_ns());
	attach();
	return has_any;
}

void injector::write(const fault_state &f, std::string_view what, std::string detail)
{
	if (log_.size() == LOG_LINES)
		log_.pop_front();
	log_.push_back({ next_seq_++, card_.now_ns(), f.id, what,
			 f.what.kind ? std::string(f.what.kind->name) : f.what.subject,
			 std::move(detail) });
}

/* What came of it, to the last line about it that says nothing yet. */
void injector::annotate(unsigned id, const std::string &said)
{
	const auto line = std::find_if(log_.rbegin(), log_.rend(), [&](const log_line &each) {
		return each.id == id && each.what == "fired";
	});

	if (line != log_.rend() && line->detail.empty())
		line->detail = said;
}

/* Nothing left to wait for or to hold: the card goes on as if nobody watched. */
void injector::attach()
{
	const bool is_needed = !later_.empty() || is_sram_lost_ ||
			       std::any_of(faults_.begin(), faults_.end(),
					   [](const auto &f) { return f.now != phase::done; });

	if (is_needed == is_attached_)
		return;
	is_attached_ = is_needed;
	held_.clear();
	past_.clear();
	card_.set_hooks(is_needed ? this : nullptr);
}

void injector::happens(happening what, const place &where)
{
	for (fault_state &f : faults_) {
		const trigger &at = f.what.at;
		if (f.now == phase::waits && at.on == what && where.fits(f.what.args) &&
		    ++f.counted >= at.nth)
			reach(f);
	}
}

/* The trigger has come. */
void injector::reach(fault_state &f)
{
	const fault_kind *kind = f.what.kind;

	f.counted = 0;
	if (kind && kind->on != happening::none) {
		f.now = phase::acts;
		return;
	}
	/* as often as it is wanted, or once for each trigger */
	const bool is_at_once = f.what.at.on == happening::none && !f.what.at.after_ns;
	do {
		if (is_chance_later(kind) || f.luck.has_hit(f.what.probability))
			fire_on_card(f);
		else if (is_at_once)
			f.now = phase::done;
	} while (is_at_once && f.now == phase::waits && f.fired < f.what.times);
	if (is_at_once && f.now == phase::waits)
		f.now = phase::done;
	f.due_ns += f.what.at.after_ns.value_or(0);
}

/* What a fault with a place of its own does is up to whoever asked hits(). */
bool injector::hits(fault which, happening on, const place &where, fault_state *&hit)
{
	for (fault_state &f : faults_) {
		if (f.now != phase::acts || f.what.kind->id != which || f.what.kind->on != on ||
		    !where.fits(f.what.args) || !f.luck.has_hit(f.what.probability))
			continue;
		fire(f);
		hit = &f;
		return true;
	}
	return false;
}

void injector::fire(fault_state &f)
{
	f.fired++;
	write(f, "fired", "");
	if (f.what.kind && f.what.kind->is_lasting)
		hold(f);
	else if (f.fired == f.what.times)
		f.now = phase::done;
}

void injector::hold(fault_state &f)
{
	f.now = phase::holds;
	f.began_ns = card_.now_ns();
	if (f.what.args.has(parameter::for_ms))
		f.ends_ns = f.began_ns +
			    static_cast<std::uint64_t>(f.what.args.get(parameter::for_ms, 0)) *
				    NS_PER_MS;
}

/* Plans, and what needs the card to stand still, wait for the end of the step. */
void injector::fire_on_card(fault_state &f)
{
	fire(f);
	if (!f.what.kind) {
		later_.push_back({ 0, f.id, f.what.plan });
		return;
	}
	fault_state *const of = &f;
	switch (f.what.kind->id) {
	case fault::dead:
	case fault::crash:
	case fault::hang_firmware:
	case fault::hang_admin:
	case fault::slow_mmio:
	case fault::slow_dma:
	case fault::slow_all:
		annotate(f.id, start(f));
		return;
	default:
		later_.push_back({ 0, f.id, [this, of] { return start(*of); } });
	}
}

injector::fault_state *injector::holding(fault which)
{
	return const_cast<fault_state *>(std::as_const(*this).holding(which));
}

const injector::fault_state *injector::holding(fault which) const
{
	const auto found = std::find_if(faults_.begin(), faults_.end(), [&](const auto &f) {
		return f.now == phase::holds && f.what.kind && f.what.kind->id == which;
	});

	return found == faults_.end() ? nullptr : &*found;
}

std::int64_t injector::value_or_random(fault_state &f, std::uint64_t limit)
{
	const std::int64_t random = static_cast<std::int64_t>(f.luck.next() % limit);

	return f.what.args.get(parameter::value, random);
}

/* What a fault does to the card itself. Returns what there is to say. */
std::string injector::start(fault_state &f)
{
	const arguments &a = f.what.args;
	const auto number = [&](parameter which) { return static_cast<unsigned>(a.get(which, 0)); };

	switch (f.what.kind->id) {
	case fault::crash:
		card_.crash(number(parameter::code));
		return card_.state() == OAC_STATE_CRASHED ? "" : "no firmware ran";
	case fault::self_reset:
		card_.reset_silently();
		return "";
	case fault::spurious_interrupt:
		card_.raise(number(parameter::vector));
		return "";
	case fault::interrupt_storm:
		f.now = phase::holds;
		f.began_ns = card_.now_ns();
		return "";
	case fault::ecc_corrected:
	case fault::ecc_lost: {
		const bool is_lost = f.what.kind->id == fault::ecc_lost;
		const std::uint64_t random = f.luck.next() % card_.lmem_size();
		const auto at = static_cast<std::uint64_t>(
			a.get(parameter::address, static_cast<std::int64_t>(random)));
		card_.add_memory_error(number(parameter::heap), at, is_lost);
		is_sram_lost_ |= is_lost && number(parameter::heap) == OAC_HEAP_SRAM;
		return hex(at);
	}
	case fault::thermal:
		return card_.set_sensor(number(parameter::sensor), a.get(parameter::value, 0)) ?
			       "" :
			       "no such sensor in this firmware";
	case fault::sensor_dead:
		return card_.set_sensor_dead(number(parameter::sensor), true) ?
			       "" :
			       "no such sensor in this firmware";
	case fault::power_brake:
		card_.set_power_brake(true);
		return "";
	case fault::dma_bad_address: {
		const auto at = static_cast<std::uint64_t>(a.get(parameter::address, 0));
		return card_.stray_dma(at, number(parameter::write)) ? "went through" : "refused";
	}
	case fault::aer: {
		constexpr std::uint32_t preset[] = { PCI_ERR_COR_RCVR, PCI_ERR_UNC_COMP_TIME,
						     PCI_ERR_UNC_MALF_TLP };
		const unsigned severity = number(parameter::severity);
		const auto bits =
			static_cast<std::uint32_t>(a.get(parameter::value, preset[severity]));
		card_.log_link_error(severity ? bits : 0, severity ? 0 : bits);
		return hex(bits);
	}
	default:
		set_conditions();
		return "";
	}
}

/* A fault that holds ends: what it did to the card itself is undone. */
void injector::stop(fault_state &f)
{
	const arguments &a = f.what.args;
	const auto sensor = static_cast<unsigned>(a.get(parameter::sensor, 0));

	f.now = phase::done;
	if (!f.what.kind)
		return;
	switch (f.what.kind->id) {
	case fault::hang_command: {
		const unsigned queue = f.queue;
		later_.push_back({ 0, f.id, [this, queue] {
					  card_.thaw(queue);
					  return std::string("the command goes on");
				  } });
		break;
	}
	case fault::boot_hang:
		card_.end_boot_hang();
		break;
	case fault::thermal:
		card_.set_sensor(sensor, std::nullopt);
		break;
	case fault::sensor_dead:
		card_.set_sensor_dead(sensor, false);
		break;
	case fault::power_brake:
		card_.set_power_brake(false);
		break;
	default:
		break;
	}
	set_conditions();
}

void injector::heal(fault_state &f, std::string_view why)
{
	stop(f);
	write(f, "healed", std::string(why));
}

/* What all faults that hold come to together. */
void injector::set_conditions()
{
	conditions all;

	for (const fault_state &f : faults_) {
		if (f.now != phase::holds || !f.what.kind)
			continue;
		const arguments &a = f.what.args;
		const auto ns = static_cast<std::uint64_t>(a.get(parameter::us, 0)) * NS_PER_US;
		switch (f.what.kind->id) {
		case fault::dead:
			all.is_dead = true;
			break;
		case fault::hang_firmware:
			all.admin_stopped = all.heartbeat_stopped = true;
			all.queues_stopped |= a.get(parameter::queues, 0) != 0;
			break;
		case fault::hang_admin:
			all.admin_stopped = true;
			break;
		case fault::slow_mmio:
			all.access_ns += ns;
			break;
		case fault::slow_dma:
			all.dma_ns += ns;
			break;
		case fault::slow_all:
			all.slowdown *= static_cast<unsigned>(a.get(parameter::factor, 1));
			break;
		default:
			break;
		}
	}
	shown_ = all;
	card_.set_conditions(all);
}

bool injector::on_step()
{
	const std::uint64_t now = card_.now_ns();
	const std::uint64_t before = next_seq_;

	do_due(now);
	const bool has_worked = do_later(now);
	attach();
	return has_worked || next_seq_ != before;
}

void injector::do_due(std::uint64_t now)
{
	for (fault_state &f : faults_) {
		if (f.now == phase::waits && f.what.at.after_ns && now >= f.due_ns)
			reach(f);
		if (f.now != phase::holds)
			continue;
		if (f.ends_ns && now >= f.ends_ns)
			heal(f, "its time is over");
		else if (f.what.kind && f.what.kind->id == fault::interrupt_storm)
			storm(f, now);
	}
}

bool injector::do_later(std::uint64_t now)
{
	bool has_any = false;

	for (std::size_t at = 0; at < later_.size();) {
		if (later_[at].due_ns > now) {
			at++;
			continue;
		}
		const later task = std::move(later_[at]);
		later_.erase(later_.begin() + static_cast<std::ptrdiff_t>(at));
		const std::string said = task.work();
		annotate(task.id, said);
		has_any = true;
	}
	return has_any;
}

void injector::storm(fault_state &f, std::uint64_t now)
{
	constexpr std::uint64_t burst = 256; /* at most, in one step */
	const auto number = [&](parameter which, std::int64_t otherwise) {
		return static_cast<std::uint64_t>(f.what.args.get(which, otherwise));
	};
	const std::uint64_t wanted = (now - f.began_ns) * number(parameter::rate, 1) / NS_PER_S;
	const std::uint64_t count = number(parameter::count, 1);
	const std::uint64_t until = std::min({ wanted, count, f.sent + burst });

	for (; f.sent < until; f.sent++)
		card_.raise(static_cast<unsigned>(number(parameter::vector, 0)));
	if (f.sent == count) {
		f.now = phase::done;
		write(f, "healed", "all interrupts are out");
	}
}

std::optional<std::uint64_t> injector::next_ns() const
{
	std::optional<std::uint64_t> next;
	const auto consider = [&](std::uint64_t at) { next = std::min(at, next.value_or(at)); };

	for (const later &each : later_)
		consider(each.due_ns);
	for (const fault_state &f : faults_) {
		if (f.now == phase::waits && f.what.at.after_ns)
			consider(f.due_ns);
		if (f.now == phase::holds && f.ends_ns)
			consider(f.ends_ns);
		if (f.now == phase::holds && f.what.kind &&
		    f.what.kind->id == fault::interrupt_storm)
			consider(card_.now_ns() + STORM_NS);
	}
	return next;
}

} // namespace oac::emu::control
