// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a card says that is not so: completions, tails, progress lines, admin answers and data,
// registers, configuration space.
#include <algorithm>
#include <cstring>
#include <utility>

#include <hw/oac_regs.h>
#include <linux/pci_regs.h>
#include <model/config_space.hpp>

#include "injector.hpp"

namespace oac::emu::control
{

namespace
{

constexpr std::size_t PAST = 16;
constexpr std::uint64_t NS_PER_US = 1000, HOLD_NS = 1000000;

using phase = injector::fault_state::phase;

std::string_view field_of(const injector::fault_state &f)
{
	const auto words = words_of(f.what.kind->fields);

	return words[static_cast<std::size_t>(f.what.args.get(parameter::field, 0))];
}

/* Writes the low bytes of a value into a field. */
template <typename Field>
void put(Field &field, std::int64_t value)
{
	field = static_cast<Field>(value);
}

} // namespace

/* The one who lies anywhere. */
bool injector::is_malicious_now(fault_state *&who)
{
	who = holding(fault::malicious);
	return who && who->luck.has_hit(who->what.probability);
}

post_order injector::on_completion(queue_name at, const oac_completion &entry)
{
	post_order order;

	happens(happening::completion, { at.queue, at.context, std::nullopt, std::nullopt });
	order.entries.push_back({ entry });
	disturb(at, std::nullopt, order);
	return order;
}

post_order injector::on_admin_answer(const oac_admin_cmd &cmd, const oac_completion &entry)
{
	post_order order;
	fault_state *hit;
	const place where{ .opcode = cmd.opcode };

	happens(happening::completion, { 0, std::nullopt, cmd.opcode, std::nullopt });
	order.entries.push_back({ entry });
	for (fault_state &f : faults_) {
		if (f.now != phase::acts || f.what.kind->id != fault::lie ||
		    !where.fits(f.what.args) || !f.luck.has_hit(f.what.probability))
			continue;
		const std::string_view field = field_of(f);
		oac_completion &answer = order.entries.front().entry;
		if (field == "status")
			put(answer.status, value_or_random(f, UINT16_MAX));
		else if (field == "cid")
			put(answer.tag, value_or_random(f, UINT32_MAX));
		else if (field == "entry_count" && cmd.opcode == OAC_ADMIN_GET_LOG)
			put(answer.info, value_or_random(f, INT64_MAX));
		else
			continue;
		fire(f);
	}
	disturb({ 0, cmd.context }, cmd.opcode, order);
	if (is_malicious_now(hit))
		corrupt(*hit, order.entries.emplace_back(order.entries.empty() ?
								 posted_completion{ entry } :
								 order.entries.back()));
	return order;
}

/* All that may be done to one completion. */
void injector::disturb(queue_name at, std::optional<unsigned> opcode, post_order &order)
{
	const place where{ at.queue, at.context, opcode, std::nullopt };
	const posted_completion original = order.entries.front();
	std::deque<oac_completion> &past = past_[at.queue];
	std::vector<oac_completion> &held = held_[at.queue];
	fault_state *hit;

	if (hits(fault::early_interrupt, happening::completion, where, hit)) {
		order.is_interrupt_early = true;
		order.pause_ns = static_cast<std::uint64_t>(hit->what.args.get(parameter::us, 0)) *
				 NS_PER_US;
	}
	if (hits(fault::lost_completion, happening::completion, where))
		order.entries.clear();
	if (hits(fault::duplicate_completion, happening::completion, where))
		order.entries.push_back(original);
	if (!past.empty() && hits(fault::replay_completion, happening::completion, where, hit))
		order.entries.insert(order.entries.begin(),
				     { past[hit->luck.next() % past.size()] });
	if (!order.entries.empty() &&
	    hits(fault::corrupt_completion, happening::completion, where, hit))
		corrupt(*hit, order.entries.back());
	if (!order.entries.empty() && at.queue != 0 && is_malicious_now(hit))
		corrupt(*hit, order.entries.back());
	/* the one kept back comes behind this one */
	if (!held.empty()) {
		for (const oac_completion &each : held)
			order.entries.push_back({ each });
		held.clear();
	} else if (!order.entries.empty() &&
		   hits(fault::reorder_completion, happening::completion, where, hit)) {
		held.push_back(order.entries.back().entry);
		order.entries.pop_back();
		const unsigned queue = at.queue;
		later_.push_back({ card_.now_ns() + HOLD_NS, hit->id, [this, queue] {
					  std::vector<oac_completion> &all = held_[queue];
					  for (const oac_completion &each : all)
						  card_.post(queue, each);
					  const bool is_late = !all.empty();
					  all.clear();
					  return std::string(is_late ? "late" : "reordered");
				  } });
	}
	past.push_back(original.entry);
	if (past.size() > PAST)
		past.pop_front();
}

void injector::corrupt(fault_state &f, posted_completion &what)
{
	const bool is_any = f.what.kind->id == fault::malicious;
	const auto words = words_of(fault_kind(*find_fault("corrupt_completion")).fields);
	const std::string_view field = is_any ? words[f.luck.next() % words.size()] : field_of(f);

	if (is_any) {
		f.fired++;
		write(f, "fired", "completion: " + std::string(field));
	}
	if (field == "status")
		put(what.entry.status, value_or_random(f, UINT16_MAX));
	else if (field == "tag")
		put(what.entry.tag, value_or_random(f, UINT32_MAX));
	else if (field == "info")
		put(what.entry.info, value_or_random(f, INT64_MAX));
	else
		what.has_wrong_phase = true;
}

void injector::on_tail(queue_name at, std::uint32_t &tail)
{
	const place where{ at.queue, at.context, std::nullopt, std::nullopt };
	fault_state *hit;

	if (hits(fault::corrupt_tail, happening::completion, where, hit))
		tail += static_cast<std::uint32_t>(value_or_random(*hit, UINT32_MAX));
	if (is_malicious_now(hit)) {
		hit->fired++;
		write(*hit, "fired", "tail");
		tail = static_cast<std::uint32_t>(hit->luck.next());
	}
}

void injector::on_progress(queue_name at, oac_progress &line)
{
	const place where{ at.queue, at.context, std::nullopt, std::nullopt };
	fault_state *hit;
	const bool is_asked = hits(fault::corrupt_progress, happening::completion, where, hit);

	if (!is_asked && !is_malicious_now(hit))
		return;
	const auto words = words_of(find_fault("corrupt_progress")->fields);
	const std::string_view field = is_asked ? field_of(*hit) :
						  words[hit->luck.next() % words.size()];
	if (!is_asked) {
		hit->fired++;
		write(*hit, "fired", "progress line: " + std::string(field));
	}
	const std::int64_t value = value_or_random(*hit, UINT32_MAX);
	if (field == "sq_head")
		put(line.sq_head, value);
	else if (field == "completed")
		put(line.completed, value);
	else if (field == "state")
		put(line.state, value);
	else if (field == "status")
		put(line.status, value);
	else if (field == "error_count")
		put(line.error_count, value);
	else if (field == "waiting")
		put(line.waiting, value);
	else
		put(line.steps, value);
}

void injector::on_admin_data(const oac_admin_cmd &cmd, std::span<std::byte> data)
{
	const place where{ .opcode = cmd.opcode };
	fault_state *hit;

	for (fault_state &f : faults_) {
		if (f.now != phase::acts || f.what.kind->id != fault::lie ||
		    !where.fits(f.what.args) || !f.luck.has_hit(f.what.probability))
			continue;
		const bool has_lied = cmd.opcode == OAC_ADMIN_IDENTIFY ? lie_in_identify(f, data) :
									 lie_in_log(f, data);
		if (has_lied)
			fire(f);
	}
	if (!data.empty() && is_malicious_now(hit)) {
		hit->fired++;
		write(*hit, "fired", "admin data");
		data[hit->luck.next() % data.size()] = static_cast<std::byte>(hit->luck.next());
	}
}

/* false: the field is none of IDENTIFY's. */
bool injector::lie_in_identify(fault_state &f, std::span<std::byte> data)
{
	const std::string_view field = field_of(f);
	const std::int64_t value = value_or_random(f, UINT32_MAX);
	oac_identify all;

	std::memcpy(&all, data.data(), sizeof(all));
	const std::pair<std::string_view, __le32 *> numbers[] = {
		{ "engine_count", &all.engine_count }, { "max_contexts", &all.max_contexts },
		{ "max_queues", &all.max_queues },     { "max_depth_log2", &all.max_depth_log2 },
		{ "max_segments", &all.max_segments }, { "max_maps", &all.max_maps },
		{ "sensor_count", &all.sensor_count }, { "event_capacity", &all.event_capacity },
	};
	bool has_lied = true;
	const auto found = std::find_if(std::begin(numbers), std::end(numbers),
					[&](const auto &each) { return each.first == field; });
	if (found != std::end(numbers))
		put(*found->second, value);
	else if (field == "lmem_size")
		put(all.lmem_size, value);
	else if (field == "cmd_mask")
		put(all.cmd_mask[0], value);
	else if (field == "op_mask")
		put(all.op_mask[0], value);
	else if (field == "model")
		std::memset(all.model, UINT8_MAX, sizeof(all.model)); /* no end, no ASCII */
	else
		has_lied = false;
	std::memcpy(data.data(), &all, sizeof(all));
	return has_lied;
}

/* Ids are at the beginning of every entry but events', which begin with their number. */
bool injector::lie_in_log(fault_state &f, std::span<std::byte> data)
{
	const std::string_view field = field_of(f);

	if (data.empty())
		return false;
	if (field == "entries") {
		for (std::byte &each : data)
			each = static_cast<std::byte>(f.luck.next());
		return true;
	}
	if (field != "entry_id")
		return false;
	std::uint16_t id;
	put(id, value_or_random(f, UINT16_MAX));
	std::memcpy(data.data(), &id, std::min(sizeof(id), data.size()));
	return true;
}

void injector::on_register(std::uint64_t offset, std::uint32_t &value)
{
	fault_state *hit;

	for (fault_state &f : faults_) {
		if (f.now != phase::acts || f.what.kind->id != fault::register_garbage ||
		    f.what.args.get(parameter::address, static_cast<std::int64_t>(offset)) !=
			    static_cast<std::int64_t>(offset) ||
		    !f.luck.has_hit(f.what.probability))
			continue;
		value = static_cast<std::uint32_t>(value_or_random(f, UINT32_MAX));
		fire(f);
		return;
	}
	if (is_malicious_now(hit)) {
		hit->fired++;
		write(*hit, "fired", "register");
		value = static_cast<std::uint32_t>(hit->luck.next());
	}
}

/* Puts the bytes of a field, as far as they are read, in place of what is there. */
static void overlay(std::uint64_t offset, std::span<std::byte> shown, std::size_t at,
		    std::span<const std::uint8_t> field)
{
	for (std::size_t n = 0; n < field.size(); n++) {
		const std::uint64_t place = at + n - offset;
		if (place < shown.size())
			shown[static_cast<std::size_t>(place)] = static_cast<std::byte>(field[n]);
	}
}

void injector::on_config(std::uint64_t offset, std::span<std::byte> value)
{
	using space = config_space;
	fault_state *const f = holding(fault::config_garbage);

	if (!f || !f->luck.has_hit(f->what.probability))
		return;
	const std::string_view field = field_of(*f);
	constexpr std::uint8_t low = 0x11; /* 2.5 GT/s, one lane */
	constexpr std::uint8_t all = UINT8_MAX;
	if (field == "random") {
		for (std::byte &each : value)
			each = static_cast<std::byte>(f->luck.next());
	} else if (field == "ones") {
		std::fill(value.begin(), value.end(), std::byte{ all });
	} else if (field == "vendor") {
		overlay(offset, value, PCI_VENDOR_ID, std::array<std::uint8_t, 2>{ all, 0 });
	} else if (field == "capability_loop") {
		overlay(offset, value, space::PM + PCI_CAP_LIST_NEXT,
			std::array<std::uint8_t, 1>{ space::PM });
	} else if (field == "vectors") {
		overlay(offset, value, space::MSIX + PCI_MSIX_FLAGS,
			std::array<std::uint8_t, 2>{ all, PCI_MSIX_FLAGS_QSIZE >> 8 });
	} else {
		overlay(offset, value, space::EXPRESS + PCI_EXP_LNKSTA,
			std::array<std::uint8_t, 2>{ low, 0 });
	}
}

} // namespace oac::emu::control
