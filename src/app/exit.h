/* exit.h - what River's exit status says; the README and `river --help` promise these. */
#ifndef APP_EXIT_H
#define APP_EXIT_H

enum {
    EXIT_OK = 0,            /* ended as asked: drained, stopped, checked */
    EXIT_CONFIGURATION = 1, /* the configuration is wrong or cannot be read */
    EXIT_UNFIT = 1,         /* `doctor`: something that River needs is missing */
    EXIT_USAGE = 2,         /* the command line is wrong */
    EXIT_FAILED = 3         /* could not start, or the worker failed; `status`: nobody answers, or
                             * the answer breaks off */
};

#endif
