/*
 * Preloaded with -z initfirst: makes AddressSanitizer initialise before any other library's constructor runs.
 * Otherwise libgnutls' constructor holds a lock of glibc's that the initialisation waits for, for ever.
 */
#include <stdlib.h>

__attribute__((constructor)) static void
allocate_early(void)
{
    void *volatile memory = malloc(1);

    free(memory);
}
