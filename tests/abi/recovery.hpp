// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What tests of health, events and recovery share.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <hw/oac_health.h>

#include "fenced.hpp"

namespace oac::abi
{

/* A module parameter's value for a while. */
class parameter
{
public:
	parameter(const std::string &name, const std::string &value);
	~parameter();
	parameter(const parameter &) = delete;
	parameter &operator=(const parameter &) = delete;
	bool is_set() const { return is_set_; }

private:
	std::string path_, before_;
	bool is_set_;
};

/* reset_rungs for a while. */
class allowed_rungs : public parameter
{
public:
	explicit allowed_rungs(unsigned mask) : parameter("reset_rungs", std::to_string(mask)) {}
};

/* A file of the card's folder health in sysfs, without its newline. */
std::string health_file(const std::string &node, const std::string &name);
/* 0 or the errno. */
int write_health_file(const std::string &node, const std::string &name, const std::string &text);

/* A reader of events; does not block unless asked to. */
class event_reader
{
public:
	event_reader(const node &on, std::uint64_t from,
		     std::uint32_t flags = 0x800 /* O_NONBLOCK */);
	int fd() const { return fd_.fd(); }
	/* All that is there now. */
	std::vector<drm_oac_event> read() const;
	/*
	 * Waits for one with this code and returns all up to it; its absence is a failure. What is
	 * behind it is left for the next call.
	 */
	std::vector<drm_oac_event> read_until(std::uint16_t code, std::uint64_t arg = ~0ull) const;

private:
	node fd_;
	mutable std::vector<drm_oac_event> left_;
};

class recovery_test : public fenced_test
{
protected:
	void SetUp() override;
	void TearDown() override;
	drm_oac_info_health health(const node &of) const;
	drm_oac_info_health health() const { return health(dev()); }
	std::array<drm_oac_info_rung, OAC_RUNG_COUNT> rungs() const;
	int reset(std::uint32_t rung, std::uint32_t flags = 0, drm_oac_reset *out = nullptr) const;
	/* OAC_LOST_* of a context of this file. */
	std::uint32_t lost(std::uint32_t context) const;
	/* Waits until health has this reason. */
	void wait_for_reason(std::uint32_t reason) const;
	/* A NOP through a new context of a new file comes to its end. */
	void expect_card_works() const;

	static constexpr std::uint32_t soft = OAC_RUNG_SOFT_RESET;
};

} // namespace oac::abi
