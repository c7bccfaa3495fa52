/* plain.c - what a build without a sanitizer adds to the cage's lists: nothing. */
#include "cage/calls.h"

const CallExtras call_extras = {.count = 0};
