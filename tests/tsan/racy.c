/* racy.c: a program with one data race, for the suite to see that a race would be seen: same flags, same options, same
 * log. It must never be repaired. */
#include <pthread.h>
#include <stddef.h>

static volatile int shared; /* or the compiler leaves the writes out */

static void *write_it(void *context)
{
    (void)context;
    shared = 1;
    return NULL;
}

int main(void)
{
    pthread_t other;
    if (pthread_create(&other, NULL, write_it, NULL))
        return 1;
    shared = 2;
    pthread_join(other, NULL);
    return 0;
}
