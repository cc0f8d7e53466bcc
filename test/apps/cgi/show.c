/* Says what it was handed: method, path, and the number of bytes on its input. */
#include <stdio.h>
#include <stdlib.h>

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

int main(void) {
    long bytes = 0;
    while (getchar() != EOF) bytes++;
    printf("Content-Type: text/plain\r\nStatus: 201 Created\r\n\r\n");
    printf("%s %s %ld\n", variable("REQUEST_METHOD"), variable("PATH_INFO"), bytes);
    return 0;
}
