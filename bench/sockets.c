/* What wrk is for requests, for WebSocket messages: `sockets PORT CONNECTIONS SECONDS`. Every connection says one text of 32
   bytes, waits for it to come back, and says it again. One thread and epoll, so that the load is never what is measured.
   Prints "Messages/sec: N", or why it could not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define TEXT 32
#define SAID (2 + 4 + TEXT)
#define HEARD (2 + TEXT)

static unsigned char said[SAID];
static unsigned long messages;

static void fail(const char *why) {
  printf("Failed: %s (%s)\n", why, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* The mask is zero, so the bytes of the text are its letters (RFC 6455 5.3 wants a mask, not a good one, of a test). */
static void prepare(void) {
  said[0] = 0x81;
  said[1] = 0x80 | TEXT;
  memset(said + 6, 'a', TEXT);
}

static int shake_hands(int port) {
  static const char request[] =
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("no connection");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (write(fd, request, sizeof request - 1) < 0) fail("no handshake");
  char head[4096];
  size_t length = 0;
  while (length < 4 || memcmp(head + length - 4, "\r\n\r\n", 4) != 0)
    if (length == sizeof head || read(fd, head + length++, 1) != 1) fail("no answer to the handshake");
  if (memcmp(head, "HTTP/1.1 101", 12) != 0) fail("the handshake was refused");
  return fd;
}

static void say(int fd) {
  if (write(fd, said, SAID) != SAID) fail("a message could not be sent");
}

/* A whole echo is always HEARD bytes; pieces of it are counted until they make one. */
static void hear(int fd, int *have) {
  unsigned char bytes[HEARD];
  ssize_t got = read(fd, bytes, HEARD - *have);
  if (got <= 0) fail("a connection was closed");
  if (*have == 0 && bytes[0] != 0x81) fail("it is not an echo");
  if ((*have += got) < HEARD) return;
  *have = 0;
  messages++;
  say(fd);
}

int main(int count, char **words) {
  if (count != 4) return 2;
  int port = atoi(words[1]), connections = atoi(words[2]);
  double seconds = atof(words[3]);
  int *fds = calloc(connections, sizeof *fds), *have = calloc(connections, sizeof *have), queue = epoll_create1(0);
  struct epoll_event events[256];
  prepare();
  for (int index = 0; index < connections; index++) {
    fds[index] = shake_hands(port);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(queue, EPOLL_CTL_ADD, fds[index], &wanted);
  }
  double start = now();
  for (int index = 0; index < connections; index++) say(fds[index]);
  while (now() < start + seconds) {
    int ready = epoll_wait(queue, events, 256, 100);
    for (int index = 0; index < ready; index++) hear(fds[events[index].data.u32], &have[events[index].data.u32]);
  }
  printf("Messages/sec: %.2f\n", messages / (now() - start));
  return messages == 0;
}
