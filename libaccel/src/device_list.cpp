// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The API's list of cards: names, made once.
#include <memory>

#include <accel/accel.h>

#include "device.hpp"
#include "names.hpp"

struct accel_device_list {
	std::vector<accel::listed_card> cards;
};

int accel_device_list_create(accel_device_list **list)
{
	return accel::guard([&] {
		accel::require(list, "list");
		auto made = std::make_unique<accel_device_list>();
		made->cards = accel::list_cards();
		*list = made.release();
		return 0;
	});
}

void accel_device_list_free(accel_device_list *list)
{
	const std::unique_ptr<accel_device_list> freed(list);
}

size_t accel_device_list_count(const accel_device_list *list)
{
	return list ? list->cards.size() : 0;
}

const char *accel_device_list_name(const accel_device_list *list, size_t index)
{
	if (!list || index >= list->cards.size())
		return nullptr;
	return list->cards[index].name.c_str();
}
