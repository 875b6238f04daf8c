// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Lines on stderr for people: level, name of the card, text. A source of lines that a client can
// trigger at will is rate-limited: ten a second, then a count of what was left out.
#pragma once

#include <cstdint>
#include <string>

namespace oac::vfio_user
{

enum class log_level { error, warning, info, debug };

/* For the whole process; warning by default. */
void log_set_level(log_level level);

class log
{
public:
	explicit log(std::string name) : name_(std::move(name)) {}
	const std::string &name() const { return name_; }
	void write(log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

private:
	bool has_budget();

	std::string name_;
	std::uint64_t second_ = 0;
	unsigned lines_ = 0;	/* in second_ */
	unsigned dropped_ = 0;
};

} // namespace oac::vfio_user
