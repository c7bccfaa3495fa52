/* link.c - a slow link between two network namespaces, for kernels without netem.
 *
 *     soak_link [DELAY_US [LOSS_PPM [KBIT [SEED]]]]
 *
 * Makes two namespaces, `near` (10.77.0.1) and `far` (10.77.0.2), with a TUN device in each, and
 * carries packets between them: each takes DELAY_US one way, LOSS_PPM of a million are lost, and
 * KBIT a second pass (0: any number) after a queue of BUFFER_MS, beyond which they are dropped.
 * The seed says which are lost. Prints the process whose descriptors NEAR_FD and FAR_FD are the
 * namespaces, "link PID", and at SIGTERM what it did. All of it is gone when it ends. Exit status
 * 77: the system permits no namespaces or no TUN devices, and why is on stderr. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NOT_HERE 77
#define BUFFER_MS 100u
#define PACKET_BYTES 2048u  /* more than the devices' 1500 */
#define PACKETS 8192u       /* under way in one direction; a power of two */
#define TURN_PACKETS 64u    /* read from one side before the other one gets its turn */
#define MS_NS UINT64_C(1000000)
#define MILLION 1000000u

enum { NEAR_FD = 10, FAR_FD = 11 };

typedef struct Packet {
    uint64_t arrives_ns;
    size_t len;
    uint8_t bytes[PACKET_BYTES];
} Packet;

/* Packets from one device to the other, in the order in which they arrive. */
typedef struct Way {
    int from, to;
    uint64_t line_free_ns; /* when the packet before has left */
    uint64_t first, end;   /* of those under way, counted since the start */
    uint64_t carried, lost, dropped;
    Packet packets[PACKETS];
} Way;

static struct {
    uint64_t delay_ns, loss_ppm, kbit, dice;
    Way out, back;
} link_;

static volatile sig_atomic_t ended;

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

static _Noreturn void not_here(const char *what)
{
    int why = errno;
    perror(what);
    exit(why == EPERM || why == EACCES || why == ENOENT || why == ENODEV || why == ENOSPC ? NOT_HERE
                                                                                          : 1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MS_NS + (uint64_t)now.tv_nsec;
}

/* ---- a namespace with a device ---- */

static void raise_interface(int socket_fd, struct ifreq *ask)
{
    if (ioctl(socket_fd, SIOCGIFFLAGS, ask) != 0) {
        not_here("flags of an interface");
    }
    ask->ifr_flags = (short)(ask->ifr_flags | IFF_UP | IFF_RUNNING);
    if (ioctl(socket_fd, SIOCSIFFLAGS, ask) != 0) {
        not_here("an interface up");
    }
}

static void give_address(int socket_fd, struct ifreq *ask, uint32_t address, unsigned long what)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&ask->ifr_addr;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    if (ioctl(socket_fd, what, ask) != 0) {
        not_here("address of an interface");
    }
}

/* A namespace, which this process is in from now on; descriptor `fd` names it. Gives its device. */
static int make_side(int fd, uint32_t address)
{
    if (unshare(CLONE_NEWNET) != 0) {
        not_here("a network namespace");
    }
    int self = open("/proc/self/ns/net", O_RDONLY);
    if (self < 0 || dup2(self, fd) != fd || close(self) != 0) {
        not_here("/proc/self/ns/net");
    }
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq ask = {.ifr_name = "link0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    if (device < 0 || ioctl(device, TUNSETIFF, &ask) != 0) {
        not_here("/dev/net/tun");
    }
    int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0) {
        not_here("socket");
    }
    give_address(socket_fd, &ask, address, SIOCSIFADDR);
    give_address(socket_fd, &ask, 0xffffff00u, SIOCSIFNETMASK);
    raise_interface(socket_fd, &ask);
    struct ifreq loopback = {.ifr_name = "lo"};
    raise_interface(socket_fd, &loopback);
    (void)close(socket_fd);
    return device;
}

/* ---- packets ---- */

/* xorshift64*: the same losses for the same seed, as far as the packets are the same. */
static bool is_lost(void)
{
    link_.dice ^= link_.dice >> 12;
    link_.dice ^= link_.dice << 25;
    link_.dice ^= link_.dice >> 27;
    return ((link_.dice * UINT64_C(2685821657736338717)) >> 32) % MILLION < link_.loss_ppm;
}

/* When a packet of this length, sent now, arrives; 0: it is dropped. */
static uint64_t arrival(Way *w, uint64_t now, size_t len)
{
    uint64_t start = w->line_free_ns > now ? w->line_free_ns : now;
    if (start - now > BUFFER_MS * MS_NS || w->end - w->first == PACKETS) {
        w->dropped++;
        return 0;
    }
    w->line_free_ns = start + (link_.kbit > 0 ? len * 8 * MS_NS / link_.kbit : 0);
    if (is_lost()) {
        w->lost++;
        return 0;
    }
    return w->line_free_ns + link_.delay_ns;
}

static void take_packets(Way *w, uint64_t now)
{
    static uint8_t thrown[PACKET_BYTES];
    for (unsigned i = 0; i < TURN_PACKETS; i++) {
        bool full = w->end - w->first == PACKETS;
        Packet *p = &w->packets[w->end % PACKETS];
        ssize_t len = read(w->from, full ? thrown : p->bytes, PACKET_BYTES);
        if (len <= 0) {
            return;
        }
        uint64_t arrives = arrival(w, now, (size_t)len);
        if (arrives != 0) {
            p->len = (size_t)len;
            p->arrives_ns = arrives;
            w->end++;
        }
    }
}

/* Hands over what has arrived. A device that takes nothing now drops it, as a full queue would. */
static void give_packets(Way *w, uint64_t now)
{
    for (; w->first < w->end && w->packets[w->first % PACKETS].arrives_ns <= now; w->first++) {
        const Packet *p = &w->packets[w->first % PACKETS];
        if (write(w->to, p->bytes, p->len) == (ssize_t)p->len) {
            w->carried++;
        } else {
            w->dropped++;
        }
    }
}

static uint64_t next_arrival(const Way *w, uint64_t best)
{
    uint64_t next = w->first < w->end ? w->packets[w->first % PACKETS].arrives_ns : best;
    return next < best ? next : best;
}

static void carry(const sigset_t *waiting_mask)
{
    struct pollfd both[2] = {{.fd = link_.out.from, .events = POLLIN},
                             {.fd = link_.back.from, .events = POLLIN}};
    while (!ended) {
        uint64_t now = now_ns();
        uint64_t next = next_arrival(&link_.out, next_arrival(&link_.back, now + 1000 * MS_NS));
        uint64_t wait = next > now ? next - now : 0;
        struct timespec pause = {.tv_sec = (time_t)(wait / (1000 * MS_NS)),
                                 .tv_nsec = (long)(wait % (1000 * MS_NS))};
        if (ppoll(both, 2, &pause, waiting_mask) < 0 && errno != EINTR) {
            not_here("ppoll");
        }
        now = now_ns();
        take_packets(&link_.out, now);
        take_packets(&link_.back, now);
        give_packets(&link_.out, now);
        give_packets(&link_.back, now);
    }
}

static void say(const char *name, const Way *w)
{
    (void)printf("%s carried %llu lost %llu dropped %llu\n", name, (unsigned long long)w->carried,
                 (unsigned long long)w->lost, (unsigned long long)w->dropped);
}

int main(int count, char **words)
{
    uint64_t numbers[4] = {25000, 0, 0, 1};
    for (int i = 0; i < 4 && i + 1 < count; i++) {
        numbers[i] = strtoull(words[i + 1], NULL, 10);
    }
    link_.delay_ns = numbers[0] * 1000;
    link_.loss_ppm = numbers[1];
    link_.kbit = numbers[2];
    link_.dice = numbers[3] * 2 + 1; /* never 0, which the generator would repeat for ever */

    sigset_t blocked;
    sigset_t before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    (void)signal(SIGTERM, on_end);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* whoever started it may be killed */

    int near = make_side(NEAR_FD, 0x0a4d0001u);
    int far = make_side(FAR_FD, 0x0a4d0002u);
    link_.out.from = link_.back.to = near;
    link_.back.from = link_.out.to = far;
    (void)printf("link %d\n", (int)getpid());
    (void)fflush(stdout);
    carry(&before);
    say("out", &link_.out);
    say("back", &link_.back);
    return 0;
}
