// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The matrix: every ioctl, every field, every kind of value, and the errno of each. A subject is an
// ioctl with a way to make a good argument; its rows say what becomes of one that is wrong in one
// field. walk() tries them all, and fails if the table is not complete: a field of layout.def
// without a row, or a row without a kind of value that its role asks for.
#pragma once

#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "device.hpp"
#include "layout.hpp"

namespace oac::abi
{

enum class kind {
	zero,
	one,
	most,		/* all ones */
	over,		/* the first that is too large */
	wrap,		/* ends behind 2^64 */
	misaligned,
	flag,		/* an unknown bit */
	owner,		/* somebody else's id */
	closed,		/* an id that was ours */
	extra,		/* what else this field knows */
};

/* A value, computed once the good argument is there; the errno it gives. */
struct value {
	kind what;
	std::function<std::uint64_t()> number;
	int err;

	template <typename Number>
	value(kind sort, Number given, int gives) : what(sort), err(gives)
	{
		if constexpr (std::is_invocable_v<Number>)
			number = given;
		else
			number = [given] { return static_cast<std::uint64_t>(given); };
	}
};

/* What a field is for: which kinds its row must have. pad and out rows fill themselves. */
enum class role {
	id,		/* zero, most, owner, closed */
	flags,		/* zero, flag, most */
	count,		/* zero, one, most, over */
	free,		/* any number is right: zero, one, most */
	range,		/* zero, one, misaligned, most, wrap */
	pad,		/* any bit is refused */
	out,		/* what stands there before does not count */
};

struct row {
	std::string field;
	role is;
	std::vector<value> values = {};
};

/* The bytes of an argument. */
using bytes = std::vector<unsigned char>;

struct subject {
	const char *layout;		/* its struct in layout.def */
	unsigned long request;
	int good_err;			/* what a good argument gives: 0 but for special cases */
	std::function<bytes()> good;
	/* After each call: takes away what good() made, and what the call made if err is 0. */
	std::function<void(const bytes &before, const bytes &after, int err)> undo;
	std::vector<row> rows;
};

template <typename Arg>
bytes to_bytes(const Arg &arg)
{
	bytes all(sizeof(arg));

	std::memcpy(all.data(), &arg, sizeof(arg));
	return all;
}

/* Nothing by itself; Undo takes two Args and the errno. */
template <typename Arg, typename Undo>
auto typed_undo(Undo undo)
{
	return [undo](const bytes &before, const bytes &after, int err) {
		Arg was = {}, is = {};

		std::memcpy(&was, before.data(), sizeof(was));
		std::memcpy(&is, after.data(), sizeof(is));
		undo(was, is, err);
	};
}

inline void nothing(const bytes &, const bytes &, int)
{
}

/* Another open file on the card that has one of everything, under ids that we do not have. */
class neighbour
{
public:
	neighbour(int fd, std::uint32_t queue_flags);
	std::uint32_t context() const { return context_; }
	std::uint32_t handle() const { return handle_; }
	std::uint32_t queue() const { return queue_; }
	std::uint32_t syncobj() const { return syncobj_; }

private:
	void make_queues(std::uint32_t flags);

	node file_;
	std::uint32_t context_ = 0, handle_ = 0, queue_ = 0, syncobj_ = 0;
};

/* Two pages, the second of which is not there. */
class edge
{
public:
	edge();
	~edge();
	edge(const edge &) = delete;
	edge &operator=(const edge &) = delete;
	char *base() const { return base_; }
	char *last(std::size_t size) const { return base_ + page - size; }

private:
	char *base_;
};

class matrix : public queue_test
{
protected:
	void SetUp() override;
	void walk(const subject &all);

	static constexpr std::uint32_t depth = 1u << depth_log2;
	static constexpr std::uint64_t ring_align = sizeof(oac_cmd);

	bool has(std::uint64_t feature) const { return (features_ & feature) != 0; }
	/* 0, or how a queue must be made where doorbells are not to be had. */
	std::uint32_t queue_flags() const;
	std::uint32_t new_queue(std::uint32_t flags) const;
	std::uint32_t new_syncobj(std::uint64_t point) const;
	void drop_context(std::uint32_t id) const;
	void drop_queue(std::uint32_t id) const;
	void drop_syncobj(std::uint32_t id) const;
	void drop_buffer(std::uint32_t handle) const;
	static std::vector<value> ring_addresses(std::uint64_t good, std::uint64_t length);
	/* What an id field must be tried with; all give ENOENT. */
	std::vector<value> context_ids() const;
	std::vector<value> handle_ids() const;
	std::vector<value> queue_ids() const;
	std::vector<value> syncobj_ids() const;

private:
	static std::vector<value> ids(const std::function<std::uint32_t()> &make,
				      const std::function<void(std::uint32_t)> &drop,
				      std::uint32_t others);
	void try_value(const subject &all, const field &at, const value &one);
	void try_shapes(const subject &all);

	std::uint64_t features_ = 0;
	std::optional<neighbour> other_;
};

} // namespace oac::abi
