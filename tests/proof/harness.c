/* harness.c - calls a harness once for each length. */
#include "harness.h"

int main(void)
{
    /*@ loop unroll PROOF_LEN + 1; */
    for (size_t len = 0; len <= PROOF_LEN; len++) {
        prove(len);
        Frama_C_show_each_length(len);
    }
    return 0;
}
