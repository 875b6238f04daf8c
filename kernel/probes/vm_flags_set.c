// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
#include <linux/mm.h>

void oac_probe(struct vm_area_struct *vma);
void oac_probe(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_IO);
}
