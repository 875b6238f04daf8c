// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* Once dma_buf_move_notify(), the importer's callback move_notify. */
#include <linux/dma-buf.h>

void oac_probe(struct dma_buf *dmabuf, struct dma_buf_attach_ops *ops);
void oac_probe(struct dma_buf *dmabuf, struct dma_buf_attach_ops *ops)
{
	ops->invalidate_mappings = NULL;
	dma_buf_invalidate_mappings(dmabuf);
}
