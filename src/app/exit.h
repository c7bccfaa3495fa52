/* exit.h - River's exit statuses, as promised by the README and `river --help`. */
#ifndef APP_EXIT_H
#define APP_EXIT_H

enum {
    EXIT_OK = 0,            /* ended as asked: drained, stopped, checked */
    EXIT_CONFIGURATION = 1, /* the configuration is wrong or cannot be read */
    EXIT_UNFIT = 1,         /* `doctor`: something required is missing */
    EXIT_USAGE = 2,         /* the command line is wrong */
    EXIT_FAILED = 3         /* could not start, or the worker failed; `status`: no River answers, or
                             * the answer is truncated */
};

#endif
