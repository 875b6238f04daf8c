// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "matrix.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout.hpp"

namespace oac::abi
{

namespace
{

/* More than a test of ours ever holds of a kind, so that ids beyond are not ours. */
constexpr unsigned beyond_ours = 24;

const std::map<kind, const char *> kind_names = {
	{ kind::zero, "zero" },		{ kind::one, "one" },
	{ kind::most, "all ones" },	{ kind::over, "max + 1" },
	{ kind::wrap, "wraps" },	{ kind::misaligned, "misaligned" },
	{ kind::flag, "unknown flag" }, { kind::owner, "another's" },
	{ kind::closed, "closed" },	{ kind::extra, "special" },
};

std::set<kind> needed_kinds(role is)
{
	switch (is) {
	case role::id:
		return { kind::zero, kind::most, kind::owner, kind::closed };
	case role::flags:
		return { kind::zero, kind::flag, kind::most };
	case role::count:
		return { kind::zero, kind::one, kind::most, kind::over };
	case role::free:
		return { kind::zero, kind::one, kind::most };
	case role::range:
		return { kind::zero, kind::one, kind::misaligned, kind::most, kind::wrap };
	case role::pad:
	case role::out:
		break;
	}
	return {};
}

std::uint64_t ones(std::size_t size)
{
	return size == 8 ? u64_max : (1ull << size * 8) - 1;
}

std::vector<value> values_of(const row &one, std::size_t size, int good_err)
{
	const int err = one.is == role::pad ? EINVAL : good_err;

	if (one.is != role::pad && one.is != role::out)
		return one.values;
	return { { kind::one, 1u, err },
		 { kind::extra, 1ull << (size * 8 - 1), err },
		 { kind::most, ones(size), err } };
}

const layout *find_layout(const std::string &name)
{
	const auto &all = layouts();
	const auto at = std::find_if(all.begin(), all.end(),
				     [&](const auto &one) { return one.name == name; });

	return at == all.end() ? nullptr : &*at;
}

const field *find_field(const layout &in, const std::string &name)
{
	const auto at = std::find_if(in.fields.begin(), in.fields.end(),
				     [&](const auto &one) { return one.name == name; });

	return at == in.fields.end() ? nullptr : &*at;
}

/* Every field of the struct has one row, every row a field, and all kinds of values. */
void expect_complete(const subject &all, const layout &of)
{
	std::map<std::string, int> rows;

	for (const auto &one : all.rows) {
		std::set<kind> missing = needed_kinds(one.is);

		rows[one.field]++;
		EXPECT_NE(find_field(of, one.field), nullptr)
			<< of.name << " has no field " << one.field;
		for (const auto &have : one.values)
			missing.erase(have.what);
		for (kind what : missing)
			ADD_FAILURE() << of.name << '.' << one.field
				      << " lacks a value: " << kind_names.at(what);
	}
	for (const auto &one : of.fields)
		EXPECT_EQ(rows[one.name], 1) << "rows for " << of.name << '.' << one.name;
}

std::string upper(std::string text)
{
	std::transform(text.begin(), text.end(), text.begin(),
		       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
	return text;
}

unsigned long resized(unsigned long request, std::size_t size)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), size);
}

bool has_cap(int fd, std::uint64_t capability)
{
	drm_get_cap get = { capability, 0 };

	return ioctl(fd, DRM_IOCTL_GET_CAP, &get) == 0 && get.value;
}

} // namespace

edge::edge()
{
	void *base =
		mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	base_ = static_cast<char *>(base);
	munmap(base_ + page, page);
}

edge::~edge()
{
	munmap(base_, page);
}

/* ---- The neighbour ---------------------------------------------------------------------------- */

neighbour::neighbour(int fd, std::uint32_t flags) : file_(fd)
{
	for (unsigned i = 0; i < beyond_ours; i++) {
		context_ = file_.context();
		handle_ = file_.buffer(4 * page);
	}
	make_queues(flags);
	if (!has_cap(fd, DRM_CAP_SYNCOBJ))
		return;
	for (unsigned i = 0; i < beyond_ours; i++) {
		drm_syncobj_create create = {};

		EXPECT_EQ(file_.call(DRM_IOCTL_SYNCOBJ_CREATE, &create), 0);
		syncobj_ = create.handle;
	}
}

void neighbour::make_queues(std::uint32_t flags)
{
	drm_oac_queue_create create = {};
	drm_oac_map map = {};

	map.context = create.context = context_;
	map.handle = handle_;
	map.va = create.sq_va = page;
	map.size = 4 * page;
	map.flags = DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE;
	EXPECT_EQ(file_(map), 0);
	create.cq_va = 2 * page;
	create.tail_va = 3 * page;
	create.depth_log2 = 4;
	create.flags = flags;
	for (unsigned i = 0; i < beyond_ours; i++)
		EXPECT_EQ(file_(create), 0);
	queue_ = create.queue;
}

/* ---- Objects ---------------------------------------------------------------------------------- */

void matrix::SetUp()
{
	queue_test::SetUp();
	if (IsSkipped() || HasFatalFailure())
		return;
	features_ = dev().info().driver_features;
	other_.emplace(::open(path().c_str(), O_RDWR | O_CLOEXEC), queue_flags());
}

std::uint32_t matrix::queue_flags() const
{
	return has(DRM_OAC_FEATURE_USER_SUBMIT) ? 0 : DRM_OAC_QUEUE_KERNEL_SUBMIT;
}

std::uint32_t matrix::new_queue(std::uint32_t flags) const
{
	drm_oac_queue_create create = good_queue();

	std::memset(const_cast<char *>(rings_->at<char>()), 0, ring_size);
	create.flags = flags;
	EXPECT_EQ(dev()(create), 0);
	EXPECT_NE(create.queue, 0u);
	return create.queue;
}

/* With a timeline that stands at the point; 0: a plain one, signalled. */
std::uint32_t matrix::new_syncobj(std::uint64_t point) const
{
	drm_syncobj_create create = { 0, point ? 0u : DRM_SYNCOBJ_CREATE_SIGNALED };
	drm_syncobj_timeline_array signal = {};

	EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_CREATE, &create), 0);
	signal.handles = reinterpret_cast<std::uintptr_t>(&create.handle);
	signal.points = reinterpret_cast<std::uintptr_t>(&point);
	signal.count_handles = 1;
	if (point) {
		EXPECT_EQ(dev().call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &signal), 0);
	}
	return create.handle;
}

void matrix::drop_context(std::uint32_t id) const
{
	drm_oac_context_destroy destroy = { id, 0 };

	dev()(destroy);
}

void matrix::drop_queue(std::uint32_t id) const
{
	drm_oac_queue_destroy destroy = { id, 0 };

	dev()(destroy);
}

void matrix::drop_syncobj(std::uint32_t id) const
{
	drm_syncobj_destroy destroy = { id, 0 };

	dev().call(DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
}

void matrix::drop_buffer(std::uint32_t handle) const
{
	drm_gem_close close = { handle, 0 };

	dev()(close);
}

/* What good() made is there already, so an id that is free now was never its. */
std::vector<value> matrix::context_ids() const
{
	return ids([this] { return dev().context(); },
		   [this](std::uint32_t id) { drop_context(id); }, other_->context());
}

std::vector<value> matrix::handle_ids() const
{
	return ids([this] { return dev().buffer(page); },
		   [this](std::uint32_t id) { drop_buffer(id); }, other_->handle());
}

std::vector<value> matrix::queue_ids() const
{
	return ids([this] { return new_queue(queue_flags()); },
		   [this](std::uint32_t id) { drop_queue(id); }, other_->queue());
}

std::vector<value> matrix::syncobj_ids() const
{
	return ids([this] { return new_syncobj(0); },
		   [this](std::uint32_t id) { drop_syncobj(id); }, other_->syncobj());
}

std::vector<value> matrix::ids(const std::function<std::uint32_t()> &make,
			       const std::function<void(std::uint32_t)> &drop, std::uint32_t others)
{
	const auto closed = [make, drop] {
		const std::uint32_t id = make();

		drop(id);
		return std::uint64_t{ id };
	};

	return { { kind::zero, 0, ENOENT },	      { kind::most, u32_max, ENOENT },
		 { kind::extra, 0x7fffffff, ENOENT }, { kind::extra, 0x80000000u, ENOENT },
		 { kind::owner, others, ENOENT },     { kind::closed, closed, ENOENT } };
}

/* ---- The walk --------------------------------------------------------------------------------- */

void matrix::try_value(const subject &all, const field &at, const value &one)
{
	const bytes before = all.good();
	const std::uint64_t number = one.number();
	const auto had = dev().info();
	bytes now = before;

	ASSERT_LE(at.offset + at.size, now.size());
	std::memcpy(now.data() + at.offset, &number, std::min(at.size, sizeof(number)));
	const int err = dev().call(all.request, now.data());
	EXPECT_EQ(err, one.err) << all.layout << '.' << at.name << " = 0x" << std::hex << number
				<< " (" << kind_names.at(one.what) << ')';
	if (err) {
		EXPECT_EQ(dev().info().contexts, had.contexts) << all.layout << '.' << at.name;
		EXPECT_EQ(dev().info().queues, had.queues) << all.layout << '.' << at.name;
	}
	all.undo(before, now, err);
}

/* Longer and shorter structs than the kernel's, and one that ends where memory does. */
void matrix::try_shapes(const subject &all)
{
	const edge memory;
	const std::size_t size = _IOC_SIZE(all.request);
	const auto call = [&](std::size_t length) {
		const bytes before = all.good();
		char *at = memory.last(length);

		std::memset(at, 0xaa, length);
		std::memcpy(at, before.data(), std::min(size, length));
		const int err = dev().call(resized(all.request, length), at);
		bytes after(std::max(size, length));
		std::memcpy(after.data(), at, length);
		all.undo(before, after, err);
		return std::make_pair(err, after);
	};
	const auto cut = [&](std::size_t length) {
		const bytes before = all.good();
		bytes now = before;

		std::fill(now.begin() + static_cast<std::ptrdiff_t>(length), now.end(), 0);
		const int err = dev().call(all.request, now.data());
		all.undo(before, now, err);
		return err;
	};

	EXPECT_EQ(call(size).first, all.good_err) << all.layout << " at the end of memory";
	const auto [err, longer] = call(size + 16);
	EXPECT_EQ(err, all.good_err) << all.layout << " with 16 bytes more";
	for (std::size_t i = size; i < size + 16; i++)
		EXPECT_EQ(longer[i], 0xaa) << all.layout << ", byte behind it: " << i - size;
	for (std::size_t length = 4; length < size; length += 4)
		EXPECT_EQ(call(length).first, cut(length))
			<< all.layout << " of only " << length << " bytes";
	for (std::size_t missing : { std::size_t{ 1 }, size / 2, size - 1 })
		EXPECT_EQ(dev().call(all.request, memory.last(size - missing)), EFAULT)
			<< all.layout << " without its last " << missing;
}

void matrix::walk(const subject &all)
{
	const layout *of = find_layout(all.layout);
	const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();

	ASSERT_NE(of, nullptr) << all.layout;
	ASSERT_EQ(of->size, _IOC_SIZE(all.request));
	EXPECT_EQ(upper(of->name), "DRM_OAC_" + upper(test)) << "another test's table";
	expect_complete(all, *of);
	const bytes before = all.good();
	bytes now = before;
	const int err = dev().call(all.request, now.data());
	ASSERT_EQ(err, all.good_err) << "a good " << all.layout;
	all.undo(before, now, err);
	for (const auto &one : all.rows) {
		const field *at = find_field(*of, one.field);

		if (!at)
			continue;
		for (const auto &wrong : values_of(one, at->size, all.good_err))
			try_value(all, *at, wrong);
	}
	try_shapes(all);
	EXPECT_EQ(dev().info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
}

/* Runs anywhere: an ioctl of layout.def without a test of its name has no table. */
TEST(matrix_is_complete, for_every_ioctl)
{
	const auto &program = *testing::UnitTest::GetInstance();
	std::set<std::string> tables;

	for (int i = 0; i < program.total_test_suite_count(); i++) {
		const auto &suite = *program.GetTestSuite(i);

		for (int j = 0; j < suite.total_test_count(); j++) {
			if (std::string(suite.name()) == "matrix")
				tables.insert(upper(suite.GetTestInfo(j)->name()));
		}
	}
	for (const auto &one : ioctls()) {
		const std::string prefix = "DRM_IOCTL_OAC_";

		ASSERT_EQ(one.name.compare(0, prefix.size(), prefix), 0) << one.name;
		EXPECT_TRUE(tables.count(one.name.substr(prefix.size())))
			<< one.name << " has no table in matrix_*.cpp";
	}
}

} // namespace oac::abi
