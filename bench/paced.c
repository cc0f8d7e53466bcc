/* Requests at a constant rate: `paced PORT CONNECTIONS RATE SECONDS`. wrk asks again as soon as it is answered, so a server
   that pauses is asked less, and the requests that would have waited are never seen. Here each request has a time at which it
   is due, its latency counts from there, and one that finds no connection free waits. GET /, kept connections, answers with a
   Content-Length. One thread and epoll. Prints "Answered: N", "Failed: N", "50%: MICROSECONDS", "99%: MICROSECONDS". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 10000000 /* microseconds */
#define ROOM 65536
#define TIMER 0xffffffffu

static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

struct client {
  int fd;
  double due;    /* of the request that is under way */
  size_t length; /* bytes of the answer that are here */
  char bytes[ROOM];
};

static struct client *clients;
static unsigned *idle, idles;
static unsigned seen[LONGEST + 1];
static unsigned long answered, failed;

static void fail(const char *why) {
  printf("Failed: %s (%s)\n", why, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int open_connection(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("no connection");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void ask(struct client *client, double due) {
  client->due = due;
  client->length = 0;
  if (write(client->fd, request, sizeof request - 1) != sizeof request - 1) fail("a request could not be sent");
}

/* The size of the whole answer, 0 while its head is not complete. */
static size_t whole(struct client *client) {
  client->bytes[client->length] = 0;
  char *end = strstr(client->bytes, "\r\n\r\n");
  if (!end) return 0;
  *end = 0;
  char *field = strcasestr(client->bytes, "\r\ncontent-length:");
  *end = '\r';
  if (!field) fail("an answer has no Content-Length");
  return end + 4 - client->bytes + strtoul(field + 17, NULL, 10);
}

static void note(struct client *client) {
  double micros = (now() - client->due) * 1e6;
  seen[micros < 0 ? 0 : micros > LONGEST ? LONGEST : (int)micros]++;
  answered++;
  if (strncmp(client->bytes, "HTTP/1.1 200 ", 13) != 0) failed++;
}

static void hear(unsigned index) {
  struct client *client = &clients[index];
  ssize_t got = read(client->fd, client->bytes + client->length, ROOM - 1 - client->length);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("a connection was closed");
  client->length += got;
  size_t size = whole(client);
  if (size == 0 || client->length < size) return;
  note(client);
  idle[idles++] = index;
}

static void wake_at(int timer, double time) {
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)time, .tv_nsec = (long)((time - (time_t)time) * 1e9) + 1}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int percentile(double part) {
  unsigned long sum = 0;
  for (int micros = 0; micros <= LONGEST; micros++)
    if ((sum += seen[micros]) >= answered * part) return micros;
  return LONGEST;
}

int main(int count, char **words) {
  if (count != 5) return 2;
  int port = atoi(words[1]), connections = atoi(words[2]);
  double rate = atof(words[3]), seconds = atof(words[4]);
  int queue = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event events[256], wanted = {.events = EPOLLIN};
  prctl(PR_SET_TIMERSLACK, 1);
  clients = calloc(connections, sizeof *clients);
  idle = calloc(connections, sizeof *idle);
  for (int index = 0; index < connections; index++) {
    clients[index].fd = open_connection(port);
    wanted.data.u32 = index;
    epoll_ctl(queue, EPOLL_CTL_ADD, clients[index].fd, &wanted);
    idle[idles++] = index;
  }
  wanted.data.u32 = TIMER;
  epoll_ctl(queue, EPOLL_CTL_ADD, timer, &wanted);
  unsigned long total = rate * seconds, next = 0;
  double start = now(), limit = start + seconds + LONGEST / 1e6;
  while (answered < total && now() < limit) {
    double due;
    for (; next < total && idles > 0 && (due = start + next / rate) <= now(); next++) ask(&clients[idle[--idles]], due);
    if (next < total && idles > 0) wake_at(timer, due);
    int ready = epoll_wait(queue, events, 256, 100);
    for (int index = 0; index < ready; index++) {
      unsigned long expired;
      if (events[index].data.u32 != TIMER) hear(events[index].data.u32);
      else if (read(timer, &expired, sizeof expired) < 0) continue;
    }
  }
  /* What was never answered failed, and did not take less than the longest. */
  failed += total - answered;
  printf("Answered: %lu\nFailed: %lu\n50%%: %d\n99%%: %d\n", answered, failed, percentile(0.5), percentile(0.99));
  return 0;
}
