#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void *work(void *number) {
    pthread_mutex_lock(&lock);
    sum += (long)number * (long)number;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    int status = 0;
    if (fork() == 0) _exit(7);
    wait(&status);
    if (WEXITSTATUS(status) != 7 || system("exit 3") >> 8 != 3) return 1;
    printf("%ld\n", sum);
}
