// The sessions that came up, in their order, known to all processes of the server.
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { SEATS = 64 }; // more sessions than these are not looked at

static struct seats {
    atomic_int taken;
    struct seat {
        char user[64];
        int64_t since; // milliseconds of the monotonic clock
        atomic_bool there;
    } seat[SEATS];
} *seats;
static int own_seat = SEATS; // of this process

// Before the first client has its process; false without memory.
static bool make_seats(void) {
    void *memory = mmap(NULL, sizeof *seats, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    seats = memory;
    return true;
}

static void take_seat(const char *user, int64_t since) {
    own_seat = atomic_fetch_add(&seats->taken, 1);
    if (own_seat >= SEATS) return;
    struct seat *seat = &seats->seat[own_seat];
    snprintf(seat->user, sizeof seat->user, "%s", user);
    seat->since = since;
    atomic_store(&seat->there, true);
}

// Since when the same user has a newer session; -1 without one.
static int64_t newer_since(void) {
    int taken = atomic_load(&seats->taken);
    for (int i = own_seat + 1; i < taken && i < SEATS; i++) {
        const struct seat *newer = &seats->seat[i];
        if (atomic_load(&newer->there) && strcmp(newer->user, seats->seat[own_seat].user) == 0)
            return newer->since;
    }
    return -1;
}
