/* kdl_support.h - reading and printing KDL documents in tests. */
#ifndef TESTS_UNIT_KDL_SUPPORT_H
#define TESTS_UNIT_KDL_SUPPORT_H

#include "kdl/kdl.h"

typedef struct KdlFixture {
    Budget budget;
    Blocks blocks;
    Arena arena;
    Diagnostics *diagnostics;
} KdlFixture;

void kdl_open(KdlFixture *f);
void kdl_close(KdlFixture *f);

/* The canonical form of `text` read as `version` (0: as it says), ERR_SYNTAX for a bad document. */
Err kdl_canonical(KdlFixture *f, Str text, int version, Str *ret);

/* One row of a table of documents: `printed` NULL means that it must be refused. */
typedef struct KdlCase {
    const char *text;
    const char *printed;
} KdlCase;

/* Expects every row to print as it says, and what was printed to print as itself. */
void kdl_check_cases(const KdlCase *cases, size_t count, int version);

#endif
