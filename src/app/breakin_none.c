/* breakin_none.c - River as people run it: nobody tries to leave the cage. */
#include "app/breakin.h"

void breakin_arm(void)
{
}
