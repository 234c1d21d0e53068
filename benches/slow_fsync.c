// Makes fsync and fdatasync take SLOW_FSYNC_US microseconds and do nothing: a disk of known speed for the benchmark (LD_PRELOAD).
// The database must lie in memory; what it "syncs" is not on any disk.
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

static int wait_a_while(void) {
    static long micros = -1;
    if (micros < 0) {
        const char *text = getenv("SLOW_FSYNC_US");
        micros = text ? atol(text) : 0;
    }
    // The kernel may otherwise add 50 us to each sleep of a thread.
    prctl(PR_SET_TIMERSLACK, 1UL);
    struct timespec time = { micros / 1000000, (micros % 1000000) * 1000 };
    nanosleep(&time, NULL);
    return 0;
}

int fsync(int file) { (void)file; return wait_a_while(); }
int fdatasync(int file) { (void)file; return wait_a_while(); }
