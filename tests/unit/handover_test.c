/* handover_test.c - the messages between two supervisors. */
#include "app/fd_packet.h"
#include "app/handover.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

TEST("handover: a message is its kind and its lines")
{
    static const struct {
        Str text;
        Err err;
        HandoverKind kind;
        Str lines;
    } rows[] = {
        {S_INIT("river-hand-over 1 over\n"), ERR_OK, HANDOVER_OVER, S_INIT("")},
        {S_INIT("river-hand-over 1 listeners\na\nb\n"), ERR_OK, HANDOVER_LISTENERS,
         S_INIT("a\nb\n")},
        {S_INIT("river-hand-over 1 something new\nx"), ERR_OK, HANDOVER_UNKNOWN, S_INIT("x")},
        {S_INIT("river-hand-over 2 over\n"), ERR_UNSUPPORTED, HANDOVER_UNKNOWN, S_INIT("")},
        {S_INIT("river-hand-over 1 over"), ERR_SYNTAX, HANDOVER_UNKNOWN, S_INIT("")},
        {S_INIT("river-hand-over -1 over\n"), ERR_SYNTAX, HANDOVER_UNKNOWN, S_INIT("")},
        {S_INIT("river-hand-over 1\n"), ERR_SYNTAX, HANDOVER_UNKNOWN, S_INIT("")},
        {S_INIT("GET / HTTP/1.1\r\n\r\n"), ERR_SYNTAX, HANDOVER_UNKNOWN, S_INIT("")},
        {S_INIT(""), ERR_SYNTAX, HANDOVER_UNKNOWN, S_INIT("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        HandoverKind kind = HANDOVER_UNKNOWN;
        Str lines = STR_NONE;
        EXPECT(handover_parse(rows[i].text, &kind, &lines) == rows[i].err);
        EXPECT(kind == rows[i].kind);
        EXPECT_STR(lines, rows[i].lines);
    }
}

TEST("handover: descriptors arrive with their lines, and what makes no sense is closed")
{
    int ends[2];
    static uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m;
    EXPECT(handover_pair(&ends[0], &ends[1]) == ERR_OK);
    int fds[3] = {dup(1), dup(1), dup(1)};
    EXPECT(handover_send(ends[0], HANDOVER_LISTENERS, S("a\nb\nc\n"), fds, 3) == ERR_OK);
    EXPECT(handover_receive(ends[1], span_of(room, sizeof room), 0, &m) == ERR_OK);
    EXPECT(m.kind == HANDOVER_LISTENERS && m.fd_count == 3);
    EXPECT_STR(m.lines, S("a\nb\nc\n"));
    for (size_t i = 0; i < 3; i++) {
        EXPECT(close(m.fds[i]) == 0 && close(fds[i]) == 0);
    }
    EXPECT(handover_receive(ends[1], span_of(room, sizeof room), 0, &m) == ERR_AGAIN);
    EXPECT(handover_receive(ends[1], span_of(room, sizeof room), 1, &m) == ERR_TIMEOUT);
    EXPECT(send(ends[0], "noise", 5, 0) == 5);
    EXPECT(handover_receive(ends[1], span_of(room, sizeof room), 0, &m) == ERR_SYNTAX);
    (void)close(ends[0]);
    EXPECT(handover_receive(ends[1], span_of(room, sizeof room), 0, &m) == ERR_CLOSED);
    (void)close(ends[1]);
}

TEST("handover: descriptors beyond those that are wanted are closed")
{
    int ends[2];
    int few[2] = {-1, -1};
    int many[4] = {dup(0), dup(0), dup(0), dup(0)};
    FdRoom out = {0};
    FdRoom in = {0};
    char byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};
    EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    fd_packet_attach(&packet, &out, many, 4);
    EXPECT(sendmsg(ends[0], &packet, 0) == 1);
    int next = dup(0); /* the lowest that is free: what is received comes after it */
    packet = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1};
    fd_packet_expect(&packet, &in, 4);
    EXPECT(recvmsg(ends[1], &packet, 0) == 1);
    EXPECT(fd_packet_take(&packet, few, 2) == 2);
    EXPECT(few[0] > next && few[1] > few[0]);
    EXPECT(fcntl(few[1], F_GETFD) == 0 && fcntl(few[1] + 1, F_GETFD) < 0);
    (void)close(few[0]);
    (void)close(few[1]);
    (void)close(next);
    for (size_t i = 0; i < 4; i++) {
        (void)close(many[i]);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}
