/* breakin_none.c - River as people run it: nobody tries to leave the cage. */
#include "app/breakin.h"

const ChildKind breakin_trial = {.name = S_INIT("none")};

void breakin_arm(void)
{
}

uint64_t breakin_look_ms(uint64_t usual)
{
    return usual;
}
