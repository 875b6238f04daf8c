// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Cards as the verbs see them: opened by libaccel, chosen by -d and --all, visited one by one or
// all together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <accel/accel.h>

#include "report.hpp"
#include "settings.hpp"

namespace accelctl
{

class card
{
public:
	/// Throws failure.
	explicit card(const std::string &name);

	accel_device *device() const { return device_.get(); }
	/// As given on the command line or in the list.
	const std::string &name() const { return name_; }
	std::optional<std::string> string(accel_string which) const;
	std::optional<std::uint64_t> number(accel_number which) const;

	/// row[key] = the text, or null and the reason.
	void put(tree &row, const char *key, accel_string which, const std::string &reason) const;
	void put(tree &row, const char *key, accel_number which) const;

private:
	struct closer {
		void operator()(accel_device *device) const { accel_device_close(device); }
	};
	std::string name_;
	std::unique_ptr<accel_device, closer> device_;
};

enum class unselected { all, only };	/* without -d and --all: all cards, or the only one */
enum class order { one_by_one, together };

/// What the command line chooses, unopened. Throws failure.
std::vector<std::string> card_names(const settings &from, unselected rule);

/// The cards that the command line chooses, opened when first visited and kept open.
class card_set
{
public:
	card_set(const settings &from, unselected rule);

	std::size_t count() const { return members_.size(); }

	/*
	 * Visits each card with its row of the report, where "id" and "name" stand already. A card
	 * that cannot be opened, or whose visit throws failure, keeps its row with "error" in it.
	 */
	void visit(report &into, order how, const std::function<void(card &, tree &)> &visitor);

private:
	struct member {
		std::string name;
		std::unique_ptr<card> opened;
	};
	std::vector<member> members_;
};

} // namespace accelctl
