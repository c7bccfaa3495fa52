/* kdl_one_test.c - documents of KDL 1: what each of them says, in canonical form, or that it is
 * refused. */
#include "kdl_support.h"
#include "test.h"

#define CHECK_CASES(cases) kdl_check_cases((cases), sizeof(cases) / sizeof((cases)[0]), 1)

TEST("KDL 1: nodes and their ends")
{
    static const KdlCase cases[] = {
        {"", "\n"},
        {"one\ntwo\r\nthree\rfour", "one\ntwo\nthree\nfour\n"},
        {"one;two; three ;", "one\ntwo\nthree\n"},
        {"a {\n b; c\n}", "a {\n    b\n    c\n}\n"},
        {"a {b;c}", "a {\n    b\n    c\n}\n"},
        {"a{}", "a {\n}\n"},
        {"a {\n b\n};", "a {\n    b\n}\n"},
        {"a { b } // c", "a {\n    b\n}\n"},
        {"a {", NULL},
        {"}", NULL},
        {"a{b}c \"d\"", NULL},
        {"a {} {}", NULL},
        {";", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: text needs quotes, names do not")
{
    static const KdlCase cases[] = {
        {"\"a\" \"b\" \"c\"=\"d\"", "a \"b\" c=\"d\"\n"},
        {"r\"a\" r\"b\" r\"c\"=r\"d\"", "a \"b\" c=\"d\"\n"},
        {"r \"b\"", "r \"b\"\n"},
        {"rr\"b\"", NULL},
        {"- 1", "- 1\n"},
        {"a +b=1 .c=2 #d=3", "a #d=3 +b=1 .c=2\n"},
        {"a!@#$%^&*.:'|?+ 1", "a!@#$%^&*.:'|?+ 1\n"},
        {"trueish 1", "trueish 1\n"},
        {"\"true\" \"1a\"=1", "\"true\" \"1a\"=1\n"},
        {"a b", NULL},
        {"a b=c", NULL},
        {"a --", NULL},
        {"a ?1", NULL},
        {"a _1", NULL},
        {"a,b 1", NULL},
        {"a<b 1", NULL},
        {"a[b 1", NULL},
        {"a/b 1", NULL},
        {"a\\b 1", NULL},
        {"true", NULL},
        {"a true=1", NULL},
        {"1a", NULL},
        {"a\"b\"", NULL},
        {"a 1\"b\"", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: keywords are bare, those of KDL 2 are not known")
{
    static const KdlCase cases[] = {
        {"a true false null b=true", "a true false null b=true\n"},
        {"a #true", NULL},
        {"a #\"x\"#", NULL},
        {"a inf", NULL},
        {"inf nan=1", "inf nan=1\n"},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: numbers")
{
    static const KdlCase cases[] = {
        {"a 0 +7 -7 007 1_000_", "a 0 7 -7 7 1000\n"},
        {"a 0x1F 0o17 0b101_", "a 0x1f 0o17 0b101\n"},
        {"a 0xABCDEF0123456789abcdef", "a 0xabcdef0123456789abcdef\n"},
        {"a 1.5 1e10 2.5E-1_0", "a 1.5 1E+10 2.5E-10\n"},
        {"a 1.", NULL},
        {"a .1", NULL},
        {"a 1._1", NULL},
        {"a 0x_1", NULL},
        {"a 0o8", NULL},
        {"a 1.2.3", NULL},
        {"a 1e2e3", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: strings may hold lines, and their escapes are fewer")
{
    static const KdlCase cases[] = {
        {"a \"x\ny\"", "a \"x\\ny\"\n"},
        {"a \"\\n\\r\\t\\b\\f\\\"\\\\\\/\"", "a \"\\n\\r\\t\\b\\f\\\"\\\\/\"\n"},
        {"a \"\\u{41}\\u{10FFFF}\"", "a \"A\xF4\x8F\xBF\xBF\"\n"},
        {"a r\"\\n\" r#\"\"\"#", "a \"\\\\n\" \"\\\"\"\n"},
        {"a r##\"x\"#y\"##", "a \"x\\\"#y\"\n"},
        {"a r\"x\ny\"", "a \"x\\ny\"\n"},
        {"a \"\"\"x\"\"\"", NULL},
        {"a \"\\s\"", NULL},
        {"a \"\\ x\"", NULL},
        {"a \"\\u{110000}\"", NULL},
        {"a r#\"x\"", NULL},
        {"a \"x", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: comments, continued lines and slashdashes")
{
    static const KdlCase cases[] = {
        {"//\na /* x /* y */ */ 1", "a 1\n"},
        {"a \\\n 1 \\ // why\n 2", "a 1 2\n"},
        {"a \\ // why", "a\n"},
        {"/-a 1\nb", "b\n"},
        {"/- a {\n b\n}\nc", "c\n"},
        {"a /-1 2 /-b=3", "a 2\n"},
        {"a /- \\\n 1 2", "a 2\n"},
        {"a /-{ b }", "a\n"},
        {"a { /-b; c; }", "a {\n    c\n}\n"},
        {"/-a /-1\nb", "b\n"},
        {"a \\", NULL},
        {"a \\ 1", NULL},
        {"a\n \\// x\n b", NULL},
        {"/-\na", NULL},
        {"a /-{} {}", NULL},
        {"a 1/-2", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: type annotations stand without space")
{
    static const KdlCase cases[] = {
        {"(t)a (u)1 b=(r\"v\")\"c\"", "(t)a (u)1 b=(v)\"c\"\n"},
        {"(\"\")a (\"t/\")true", "(\"\")a (\"t/\")true\n"},
        {"(t) a", NULL},
        {"( t)a", NULL},
        {"a (t) 1", NULL},
        {"a (t/*x*/)1", NULL},
        {"a (t)b=1", NULL},
        {"a ()1", NULL},
        {"a (t)", NULL},
        {"a b=(t)", NULL},
        {"a b = 1", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 1: a byte order mark is white space, control characters in strings are text")
{
    static const KdlCase cases[] = {
        {"\xEF\xBB\xBF" "a\xEF\xBB\xBF" "1", "a 1\n"},
        {"a \"\x01\"", "a \"\x01\"\n"},
        {"a \xFF", NULL},
        {"a \"\xC3\"", NULL},
        {"a\x0B", NULL},
    };
    CHECK_CASES(cases);
}

TEST("without a word about the version, KDL 2 is tried before KDL 1")
{
    static const KdlCase cases[] = {
        {"a b", "a b\n"},
        {"a true", "a true\n"},
        {"a #true", "a #true\n"},
        {"a \"b\"", "a b\n"},
        {"a r\"b\"", "a \"b\"\n"},
        {"/- kdl-version 1\na true", "a true\n"},
        {"/- kdl-version 2\r\na b", "a b\n"},
        {"\xEF\xBB\xBF/-  kdl-version  1  \na \"b\"", "a \"b\"\n"},
        {"a #true true", NULL},
        {"/- kdl-version 1\na b", NULL},
        {"/- kdl-version 2\na true", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        KdlFixture f;
        Str printed = STR_NONE;
        kdl_open(&f);
        Err err = kdl_canonical(&f, str_from_c(cases[i].text), 0, &printed);
        test_expect((err == ERR_OK) == (cases[i].printed != NULL), cases[i].text, __FILE__,
                    __LINE__);
        test_expect_str(printed, str_from_c(cases[i].printed), cases[i].text, __FILE__, __LINE__);
        kdl_close(&f);
    }
}
