// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* eventfd_signal() takes no count. */
#include <linux/eventfd.h>

void oac_probe(struct eventfd_ctx *eventfd);
void oac_probe(struct eventfd_ctx *eventfd)
{
	eventfd_signal(eventfd);
}
