/* kdl_two_test.c - documents of KDL 2: what each of them says, in canonical form, or that it is
 * refused. */
#include "kdl_support.h"
#include "test.h"

#define CHECK_CASES(cases) kdl_check_cases((cases), sizeof(cases) / sizeof((cases)[0]), 2)

TEST("KDL 2: nodes end with lines, semicolons, blocks and the text")
{
    static const KdlCase cases[] = {
        {"", "\n"},
        {" \t ", "\n"},
        {"\r", "\n"},
        {"one", "one\n"},
        {"one\ntwo\r\nthree\rfour", "one\ntwo\nthree\nfour\n"},
        {"one;two; three ;", "one\ntwo\nthree\n"},
        {"one\xC2\x85two\x0Bthree\x0C" "four\xE2\x80\xA8" "five\xE2\x80\xA9six",
         "one\ntwo\nthree\nfour\nfive\nsix\n"},
        {"a { b; c }", "a {\n    b\n    c\n}\n"},
        {"a{b}", "a {\n    b\n}\n"},
        {"a {}", "a\n"},
        {"a {\n\n}; b", "a\nb\n"},
        {"a { b { c { d } } }",
         "a {\n    b {\n        c {\n            d\n        }\n    }\n}\n"},
        {"a;a;a", "a\na\na\n"},
        {";", NULL},
        {"a;;b", NULL},
        {"a {", NULL},
        {"a { b", NULL},
        {"}", NULL},
        {"a }", NULL},
        {"a {} b", NULL},
        {"a {} {}", NULL},
        {"a {b}c", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: names are bare, quoted or raw, and bare where they can be")
{
    static const KdlCase cases[] = {
        {"\"a\" \"b\"=\"c\"", "a b=c\n"},
        {"\"two words\"", "\"two words\"\n"},
        {"#\"raw \\ name\"#", "\"raw \\\\ name\"\n"},
        {"\"\" \"\"=1", "\"\" \"\"=1\n"},
        {"-", "-\n"},
        {"a --1", "a --1\n"},
        {"+ - . -- +. -.a ..", "+ - . -- +. -.a ..\n"},
        {"a,b<c>d", "a,b<c>d\n"},
        {"\"1a\" \"-1\" \".5\" \"+.5\" \"true\" \"inf\" \"-inf\" \"nan\" \"null\"",
         "\"1a\" \"-1\" \".5\" \"+.5\" \"true\" \"inf\" \"-inf\" \"nan\" \"null\"\n"},
        {"\"a#b\" \"a b\" \"a=b\" \"a;b\" \"a/b\" \"a[b\"",
         "\"a#b\" \"a b\" \"a=b\" \"a;b\" \"a/b\" \"a[b\"\n"},
        {"trueish nullable infinite", "trueish nullable infinite\n"},
        {"\xE6\xB2\xB3\xE5\xB7\x9D \xF0\x9F\x8C\x8A",
         "\xE6\xB2\xB3\xE5\xB7\x9D \xF0\x9F\x8C\x8A\n"},
        {"1a", NULL},
        {"a 1a", NULL},
        {"a .5", NULL},
        {"a -.5", NULL},
        {"true", NULL},
        {"a false", NULL},
        {"a null=1", NULL},
        {"a inf", NULL},
        {"a b#c", NULL},
        {"a b/c", NULL},
        {"a b\\c", NULL},
        {"a [b]", NULL},
        {"a b(c)", NULL},
        {"a\"b\"", NULL},
        {"a 1\"b\"", NULL},
        {"a b=1c=2", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: properties are sorted, the last of a name counts, and space may stand around =")
{
    static const KdlCase cases[] = {
        {"a z=1 b=2 c 3", "a c 3 b=2 z=1\n"},
        {"a x=1 x=2 x=3", "a x=3\n"},
        {"a b = 1", "a b=1\n"},
        {"a b /* c */ = /* d */ 1", "a b=1\n"},
        {"a b \\\n = \\\n 1", "a b=1\n"},
        {"a \"b\"=1 #\"c d\"#=2", "a b=1 \"c d\"=2\n"},
        {"a =1", NULL},
        {"a b=", NULL},
        {"a b==1", NULL},
        {"a 1=2", NULL},
        {"a #true=2", NULL},
        {"a (t)b=1", NULL},
        {"a b=\n1", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: numbers of all bases become plain exact decimals")
{
    static const KdlCase cases[] = {
        {"a 0 00 +7 -7 007 1_000_", "a 0 0 7 -7 7 1000\n"},
        {"a 0x1F 0xff_ -0xA 0o17 0b1_01 +0b1", "a 31 255 -10 15 5 1\n"},
        {"a 340282366920938463463374607431768211456",
         "a 340282366920938463463374607431768211456\n"},
        {"a 0x100000000000000000000000000000000", "a 340282366920938463463374607431768211456\n"},
        {"a 0o1000000000000000000000000", "a 4722366482869645213696\n"},
        {"a 1.5 1_0.0_1 -0.25 0.0", "a 1.5 10.01 -0.25 0.0\n"},
        {"a 1e3 1E-3 2.5e+07 1e1_0", "a 1E+3 1E-3 2.5E+7 1E+10\n"},
        {"a 1.0e999999", "a 1.0E+999999\n"},
        {"a #inf #-inf #nan", "a #inf #-inf #nan\n"},
        {"a 1.", NULL},
        {"a 1.e3", NULL},
        {"a 1._5", NULL},
        {"a 1.5.5", NULL},
        {"a 1e", NULL},
        {"a 1e+", NULL},
        {"a 1e2e3", NULL},
        {"a 0x", NULL},
        {"a 0x_1", NULL},
        {"a 0xg", NULL},
        {"a 0o8", NULL},
        {"a 0b2", NULL},
        {"a 0X1", NULL},
        {"a 1,000", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: keywords begin with #")
{
    static const KdlCase cases[] = {
        {"a #true #false #null b=#true", "a #true #false #null b=#true\n"},
        {"a #yes", NULL},
        {"a #", NULL},
        {"a ##true", NULL},
        {"a #true#false", NULL},
        {"#true", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: escapes in strings, and none in raw ones")
{
    static const KdlCase cases[] = {
        {"a \"\\n\\r\\t\\b\\f\\\"\\\\\\s\"", "a \"\\n\\r\\t\\b\\f\\\"\\\\ \"\n"},
        {"a \"\\u{41}\\u{00e9}\\u{1F30A}\"", "a A\xC3\xA9\xF0\x9F\x8C\x8A\n"},
        {"a \"\\u{7f}\\u{feff}\\u{85}\"", "a \"\\u{7f}\\u{feff}\\u{85}\"\n"},
        {"a \"x\\   \n\t y\"", "a xy\n"},
        {"a \"x \\\r\n\r\n y\"", "a \"x y\"\n"},
        {"a #\"\\n\"# ##\"a\"#b\"##", "a \"\\\\n\" \"a\\\"#b\"\n"},
        {"a #\"\"# #\"\"\"x\"#", NULL},
        {"a \"\\/\"", NULL},
        {"a \"\\q\"", NULL},
        {"a \"\\u{}\"", NULL},
        {"a \"\\u{1234567}\"", NULL},
        {"a \"\\u{110000}\"", NULL},
        {"a \"\\u{d800}\"", NULL},
        {"a \"\\u0041\"", NULL},
        {"a \"\\u{41\"", NULL},
        {"a \"x\ny\"", NULL},
        {"a \"x", NULL},
        {"a \"x\\\"", NULL},
        {"a #\"x\"", NULL},
        {"a ##\"x\"#", NULL},
        {"a #\"x\ny\"#", NULL},
        {"a r\"x\"", NULL},
        {"a r#\"x\"#", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: multi-line strings lose the indent of their closing line")
{
    static const KdlCase cases[] = {
        {"a \"\"\"\n\"\"\"", "a \"\"\n"},
        {"a \"\"\"\n  \"\"\"", "a \"\"\n"},
        {"a \"\"\"\nx\n\"\"\"", "a x\n"},
        {"a \"\"\"\n  x\n    y\n  \"\"\"", "a \"x\\n  y\"\n"},
        {"a \"\"\"\n  x\n\n \t \n  y\n  \"\"\"", "a \"x\\n\\n\\ny\"\n"},
        {"a \"\"\"\r\n  x\r\n  y\r\n  \"\"\"", "a \"x\\ny\"\n"},
        {"a \"\"\"\n  \\tx\\\n   y\n  \"\"\"", "a \"\\txy\"\n"},
        {"a \"\"\"\n  x \\\\ y\n  \"\"\"", "a \"x \\\\ y\"\n"},
        {"a \"\"\"\n  \"x\" \"\"y\"\"\n  \"\"\"", "a \"\\\"x\\\" \\\"\\\"y\\\"\\\"\"\n"},
        {"a \"\"\"\n  \\\"\"\"\n  \"\"\"", "a \"\\\"\\\"\\\"\"\n"},
        {"a \"\"\"\n  x\n  \\  \"\"\"", "a x\n"},
        {"a \"\"\"\n  \\s\n  \"\"\"", "a \" \"\n"},
        {"a #\"\"\"\n  x\\n\n  \"\"\"y\n  \"\"\"#", "a \"x\\\\n\\n\\\"\\\"\\\"y\"\n"},
        {"a \"\"\"x\"\"\"", NULL},
        {"a \"\"\"x\n\"\"\"", NULL},
        {"a \"\"\"\nx\"\"\"", NULL},
        {"a \"\"\"\n x\n  \"\"\"", NULL},
        {"a \"\"\"\n\tx\n  \"\"\"", NULL},
        {"a \"\"\"\n  x\\\n  \"\"\"", NULL},
        {"a \"\"\"\n\\s x\n  \"\"\"", NULL},
        {"a \"\"\"\n x", NULL},
        {"a #\"\"\"#", NULL},
        {"a #\"\"\"\nx\n\"\"\"", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: comments, nested ones too, and continued lines")
{
    static const KdlCase cases[] = {
        {"// x", "\n"},
        {"//\na //b\nc", "a\nc\n"},
        {"/* x */a/* y */ 1/*z*/", "a 1\n"},
        {"/* x /* y */ z */ a", "a\n"},
        {"a /*\n*/ 1", "a 1\n"},
        {"a /***/ 1", "a 1\n"},
        {"a \\\n 1", "a 1\n"},
        {"a \\ // why\n \\\n 1", "a 1\n"},
        {"a \\", "a\n"},
        {"\\\na", "a\n"},
        {"a { b; \\\n c }", "a {\n    b\n    c\n}\n"},
        {"a /* x", NULL},
        {"a /* /* */", NULL},
        {"a \\ b", NULL},
        {"a / b", NULL},
        {"a */ b", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: a slashdash takes out nodes, entries and blocks")
{
    static const KdlCase cases[] = {
        {"/-a 1 { b }\nc", "c\n"},
        {"/-\n// x\na\nb", "b\n"},
        {"a /-1 2 /-b=3 c=4", "a 2 c=4\n"},
        {"a /-1", "a\n"},
        {"a /-\n1 2", "a 2\n"},
        {"a b=1 /-b=2", "a b=1\n"},
        {"a /-{ b } { c } /-{ d }", "a {\n    c\n}\n"},
        {"a /-{}/-{}{b}", "a {\n    b\n}\n"},
        {"a { /-b }", "a\n"},
        {"/-a /-1", "\n"},
        {"/-(t)a\nb", "b\n"},
        {"a /--1 2", "a 2\n"},
        {"/-", NULL},
        {"a /-", NULL},
        {"a /-;", NULL},
        {"a { /- }", NULL},
        {"a /-{} 1", NULL},
        {"a {} /-1", NULL},
        {"a b=/-1", NULL},
        {"a (t)/-1", NULL},
        {"a (/-t)1", NULL},
        {"/-/-a", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: type annotations stand before nodes and values")
{
    static const KdlCase cases[] = {
        {"(t)a (u)1 b=(v)c", "(t)a (u)1 b=(v)c\n"},
        {"( t ) a ( \"u v\" ) 1", "(t)a (\"u v\")1\n"},
        {"(\"\")a (t)#null (t)1.5", "(\"\")a (t)#null (t)1.5\n"},
        {"(t/*x*/)/*y*/a", "(t)a\n"},
        {"(t)", NULL},
        {"()a", NULL},
        {"a (t)", NULL},
        {"a b=(t)", NULL},
        {"a (t 1", NULL},
        {"a (1)2", NULL},
        {"a (#true)2", NULL},
        {"(t)(u)a", NULL},
    };
    CHECK_CASES(cases);
}

TEST("KDL 2: byte order marks, banned code points and bad UTF-8")
{
    static const KdlCase cases[] = {
        {"\xEF\xBB\xBF" "a", "a\n"},
        {"a\xC2\xA0" "1\xE3\x80\x80" "2\xE2\x80\xAF" "3", "a 1 2 3\n"},
        {"a \xEF\xBB\xBF" "b", NULL},
        {"a \x01", NULL},
        {"// \x7F", NULL},
        {"\"\x1F\"", NULL},
        {"a \xE2\x80\x8E", NULL},
        {"a \"\xE2\x80\xAE\"", NULL},
        {"a \xE2\x81\xA6", NULL},
        {"a \xFF", NULL},
        {"a \"\xC3\"", NULL},
        {"a \xC0\x80", NULL},
        {"a \xED\xA0\x80", NULL},
        {"a \xF4\x90\x80\x80", NULL},
        {"a \xE2\x82", NULL},
    };
    CHECK_CASES(cases);
}
