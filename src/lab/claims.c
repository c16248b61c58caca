/* SPDX-License-Identifier: MIT */
/* The list of all claims. */
#include "lab/claims.h"
#include "lab/claim.h"

#include <string.h>

#define X(name) extern const struct lai_claim lai_claim_##name;
LAI_CLAIMS(X)
#undef X

const struct lai_claim *const lai_claims[] = {
#define X(name) &lai_claim_##name,
	LAI_CLAIMS(X)
#undef X
};
const size_t lai_claim_count = sizeof(lai_claims) / sizeof(lai_claims[0]);

const struct lai_claim *lai_claim_find(const char *id)
{
	for (size_t i = 0; i < lai_claim_count; i++)
		if (strcmp(lai_claims[i]->id, id) == 0)
			return lai_claims[i];
	return NULL;
}

enum lai_lab_verdict lai_claim_expects(const struct lai_claim *claim, unsigned major,
				       unsigned minor)
{
	enum lai_lab_verdict verdict = claim->expected[0].verdict;

	for (size_t i = 1; i < LAI_CLAIM_EXPECTED_MAX; i++) {
		const struct lai_claim_expected *row = &claim->expected[i];

		if (row->verdict == LAI_LAB_NONE)
			break;
		if (major > row->major || (major == row->major && minor >= row->minor))
			verdict = row->verdict;
	}
	return verdict;
}
