// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See harness.hpp.
#include "harness.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "machine.hpp"

namespace bench
{

namespace
{

constexpr double OTHERS_TO_BEGIN = 0.10;
constexpr std::size_t PAIRS_AT_LEAST = 5;
/* Pairs tried for one that is wanted. */
constexpr int TRIES = 2;

double in_unit(const figure &of, double ns, double n)
{
	switch (of.of) {
	case unit::ns:
		return ns / n;
	case unit::us:
		return ns / n / 1e3;
	case unit::ms:
		return ns / n / 1e6;
	case unit::gigabytes:
		return of.bytes * n / ns;
	case unit::millions:
		return n / ns * 1e3;
	case unit::share:
		break;
	}
	return 0;
}

/* A figure that is set up, with as many operations as a repetition should have. */
class subject
{
public:
	subject(const figure &of, const effort &with) : figure_(of), effort_(with)
	{
		if (of.make_value) {
			value_ = of.make_value();
			return;
		}
		body_ = of.make();
		calibrate();
	}

	/* The best of the repetitions. */
	double take()
	{
		double best = repetition();
		for (int i = 1; i < effort_.repetitions; i++) {
			const double value = repetition();
			best = is_rate(figure_.of) ? std::max(best, value) : std::min(best, value);
		}
		return best;
	}

private:
	std::int64_t time(long n)
	{
		const std::int64_t begin = now_ns();
		body_(n);
		return std::max<std::int64_t>(1, now_ns() - begin);
	}
	void calibrate()
	{
		body_(1);
		for (n_ = 1;; n_ *= 4) {
			const std::int64_t took = time(n_);
			if (took * 4 < effort_.repetition_ns && n_ < (1l << 40))
				continue;
			const double scale = static_cast<double>(effort_.repetition_ns) /
					     static_cast<double>(took);
			n_ = std::max(1l, std::lround(static_cast<double>(n_) * scale));
			return;
		}
	}
	double repetition()
	{
		if (value_)
			return value_(effort_.repetition_ns * effort_.repetitions);
		return in_unit(figure_, static_cast<double>(time(n_)), static_cast<double>(n_));
	}

	const figure &figure_;
	const effort &effort_;
	body body_;
	std::function<double(std::int64_t)> value_;
	long n_ = 1;
};

double median(std::vector<double> of)
{
	if (of.empty())
		return 0;
	std::ranges::sort(of);
	const std::size_t half = of.size() / 2;
	return of.size() % 2 ? of[half] : (of[half - 1] + of[half]) / 2;
}

struct pair_of_one {
	double ours;
	std::vector<double> floors;
	bool is_clean;
};

std::vector<double> column(const std::vector<pair_of_one> &pairs,
			   const std::function<double(const pair_of_one &)> &pick)
{
	std::vector<double> values;
	for (const auto &pair : pairs)
		values.push_back(pick(pair));
	return values;
}

row row_of(const benchmark &which, const peer *over)
{
	row made;
	made.goal_number = which.goal;
	made.name = which.ours.name;
	made.what = which.what;
	made.unit = unit_text(which.ours.of);
	made.note = which.note;
	if (over) {
		made.floor_name = over->floor.name;
		made.goal = over->goal;
		made.stretch = over->stretch;
		made.is_at_least = is_rate(which.ours.of);
	}
	return made;
}

std::vector<row> empty_rows(const benchmark &which, const std::string &why)
{
	std::vector<row> rows;
	for (const peer &over : which.peers) {
		row made = row_of(which, &over);
		made.note = why;
		rows.push_back(made);
	}
	if (rows.empty()) {
		rows.push_back(row_of(which, nullptr));
		rows.back().note = why;
	}
	return rows;
}

void add_note(row &to, const std::string &note)
{
	to.note += (to.note.empty() ? "" : "; ") + note;
}

void fill(row &made, const std::vector<pair_of_one> &pairs, std::size_t index, bool has_verdict)
{
	made.value = median(column(pairs, [](auto &pair) { return pair.ours; }));
	if (index == SIZE_MAX)
		return;
	made.floor = median(column(pairs, [&](auto &pair) { return pair.floors[index]; }));
	const auto ratios =
		column(pairs, [&](auto &pair) { return pair.ours / pair.floors[index]; });
	made.ratio = median(ratios);
	made.ratio_min = std::ranges::min(ratios);
	made.ratio_max = std::ranges::max(ratios);
	if (made.goal != 0 && has_verdict)
		made.met = made.is_at_least ? made.ratio >= made.goal : made.ratio <= made.goal;
}

std::vector<row> to_rows(const benchmark &which, const std::vector<pair_of_one> &all,
			 const effort &with)
{
	std::vector<pair_of_one> clean;
	std::ranges::copy_if(all, std::back_inserter(clean),
			     [](const pair_of_one &pair) { return pair.is_clean; });
	const bool has_verdict = clean.size() >= PAIRS_AT_LEAST && !with.is_quick();
	const auto &pairs = clean.size() >= PAIRS_AT_LEAST ? clean : all;
	std::vector<row> rows;
	for (std::size_t i = 0; i < std::max<std::size_t>(1, which.peers.size()); i++) {
		const bool has_peer = !which.peers.empty();
		row made = row_of(which, has_peer ? &which.peers[i] : nullptr);
		fill(made, pairs, has_peer ? i : SIZE_MAX, has_verdict);
		made.clean_pairs = static_cast<int>(clean.size());
		made.dropped_pairs = static_cast<int>(all.size() - clean.size());
		if (with.is_quick())
			add_note(made, "quick run");
		else if (!has_verdict)
			add_note(made, "no verdict: others kept the machine busy");
		rows.push_back(made);
	}
	return rows;
}

bool is_valid(const benchmark &which, std::vector<subject> &controls)
{
	if (controls.empty())
		return true;
	const double over = controls[0].take();
	return over / controls[1].take() >= which.valid_if->at_least;
}

pair_of_one take_pair(const benchmark &which, subject &ours, std::vector<subject> &floors,
		      std::vector<subject> &controls)
{
	pair_of_one pair{};
	const watch_others others;
	pair.ours = ours.take();
	for (subject &floor : floors)
		pair.floors.push_back(floor.take());
	pair.is_clean = is_valid(which, controls) && others.load() <= OTHERS_AT_MOST;
	return pair;
}

std::vector<pair_of_one> take_pairs(const benchmark &which, const effort &with)
{
	subject ours(which.ours, with);
	std::vector<subject> floors;
	for (const peer &over : which.peers)
		floors.emplace_back(over.floor, with);
	std::vector<subject> controls;
	if (which.valid_if) {
		controls.emplace_back(which.valid_if->over, with);
		controls.emplace_back(which.valid_if->under, with);
	}
	std::vector<pair_of_one> pairs;
	std::int64_t patience = with.patience_ns;
	int clean = 0;
	for (int i = 0; i < with.pairs * TRIES && clean < with.pairs; i++) {
		if (patience > 0)
			patience -= wait_for_quiet(OTHERS_TO_BEGIN, patience);
		pairs.push_back(take_pair(which, ours, floors, controls));
		clean += pairs.back().is_clean || with.is_quick();
	}
	return pairs;
}

bool needs_two_cores(const benchmark &which)
{
	return which.ours.needs_two_cores || std::ranges::any_of(which.peers, [](const peer &over) {
		       return over.floor.needs_two_cores;
	       });
}

} // namespace

const char *unit_text(unit of)
{
	switch (of) {
	case unit::ns:
		return "ns";
	case unit::us:
		return "us";
	case unit::ms:
		return "ms";
	case unit::gigabytes:
		return "GB/s";
	case unit::millions:
		return "M/s";
	case unit::share:
		return "share";
	}
	return "";
}

bool is_rate(unit of)
{
	return of == unit::gigabytes || of == unit::millions || of == unit::share;
}

std::vector<row> measure(const benchmark &which, const effort &with)
{
	if (needs_two_cores(which) && cores().size() < 2)
		return empty_rows(which, "not measured: takes two cores, this process has one");
	try {
		pin(0, HOST);
		return to_rows(which, take_pairs(which, with), with);
	} catch (const std::exception &error) {
		return empty_rows(which, std::string("not measured: ") + error.what());
	}
}

} // namespace bench
