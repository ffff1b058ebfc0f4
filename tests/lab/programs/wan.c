// A slow, lossy way: a TUN device whose packets come back later, or twice, or never.
//
//   wan NAME [delay=MS] [jitter=MS] [loss=PERCENT] [duplicate=PERCENT] [reorder=PERCENT]
//       [rate=KBIT] [seed=N]
//
// The kernel is told by routes which packets go into the device NAME; those that the program writes
// back are routed on. Reordered packets overtake the others by leaving at once.
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE = 16384, LARGEST = 2048 };

struct packet {
    uint64_t when; // nanoseconds of the monotonic clock
    uint64_t number;
    int length;
    unsigned char bytes[LARGEST];
};

static struct packet *queue[QUEUE]; // a heap, the earliest first
static int waiting;

static int earlier(const struct packet *a, const struct packet *b) {
    return a->when != b->when ? a->when < b->when : a->number < b->number;
}

static void put(struct packet *packet) {
    int at = waiting++;
    while (at > 0 && earlier(packet, queue[(at - 1) / 2])) {
        queue[at] = queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue[at] = packet;
}

static struct packet *take(void) {
    struct packet *first = queue[0], *last = queue[--waiting];
    int at = 0, child;
    while ((child = 2 * at + 1) < waiting) {
        if (child + 1 < waiting && earlier(queue[child + 1], queue[child])) child++;
        if (!earlier(queue[child], last)) break;
        queue[at] = queue[child];
        at = child;
    }
    queue[at] = last;
    return first;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static double value(int count, char **words, const char *name, double otherwise) {
    size_t length = strlen(name);
    for (int i = 2; i < count; i++)
        if (!strncmp(words[i], name, length) && words[i][length] == '=') return atof(words[i] + length + 1);
    return otherwise;
}

static int happens(double percent) { return drand48() * 100 < percent; }

static int open_tun(const char *name) {
    struct ifreq request = {0};
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (device < 0 || ioctl(device, TUNSETIFF, &request) < 0) {
        perror(name);
        exit(1);
    }
    return device;
}

int main(int count, char **words) {
    if (count < 2) return 2;
    double delay = value(count, words, "delay", 0) * 1e6, jitter = value(count, words, "jitter", 0) * 1e6;
    double loss = value(count, words, "loss", 0), twice = value(count, words, "duplicate", 0);
    double reorder = value(count, words, "reorder", 0), rate = value(count, words, "rate", 0);
    uint64_t number = 0, free_at[2] = {0, 0};
    int device = open_tun(words[1]);
    srand48((long)value(count, words, "seed", 1));
    puts("ready");
    fflush(stdout);
    for (;;) {
        int patience = -1;
        if (waiting) {
            uint64_t time = now();
            patience = queue[0]->when <= time ? 0 : (int)((queue[0]->when - time) / 1000000 + 1);
        }
        struct pollfd readable = {device, POLLIN, 0};
        poll(&readable, 1, patience);
        for (;;) {
            unsigned char bytes[LARGEST];
            int length = read(device, bytes, sizeof bytes);
            if (length <= 0) break;
            if (happens(loss)) continue;
            uint64_t time = now(), leaves = time + (uint64_t)delay + (uint64_t)(drand48() * jitter);
            if (rate > 0) { // each way has a line of its own; the last bit of the source tells them apart
                int way = (bytes[0] >> 4) == 4 ? bytes[14] & 1 : bytes[11] & 1;
                uint64_t start = free_at[way] > time ? free_at[way] : time;
                free_at[way] = start + (uint64_t)(length * 8 / rate * 1e6);
                leaves = free_at[way] + (uint64_t)delay;
            }
            if (happens(reorder)) leaves = time;
            for (int copies = happens(twice) ? 2 : 1; copies > 0 && waiting < QUEUE; copies--) {
                struct packet *packet = malloc(sizeof *packet);
                packet->when = leaves;
                packet->number = number++;
                packet->length = length;
                memcpy(packet->bytes, bytes, length);
                put(packet);
            }
        }
        while (waiting && queue[0]->when <= now()) {
            struct packet *packet = take();
            if (write(device, packet->bytes, packet->length) < 0 && errno != EINVAL) perror("write");
            free(packet);
        }
    }
}
