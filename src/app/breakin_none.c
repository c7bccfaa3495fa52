/* breakin_none.c - the regular build: no break-in attempts. */
#include "app/breakin.h"

const ChildKind breakin_trial = {.name = S_INIT("none")};

void breakin_arm(void)
{
}

uint64_t breakin_look_ms(uint64_t usual)
{
    return usual;
}
