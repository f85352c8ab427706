/* The simplest reader of uevents: it receives them in batches and discards them. It measures the processor time of an
 * event. With an argument it prints length and subsystem of each. */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES = 32, BYTES = 4096 };

/* One byte longer than a message, so that the last text always ends. */
static char buffers[MESSAGES][BYTES + 1];

static void print_event(const char *event, unsigned int length)
{
	static const char key[] = "SUBSYSTEM=";
	unsigned int at = 0;

	while (at < length && strncmp(event + at, key, sizeof(key) - 1) != 0)
		at += strlen(event + at) + 1;
	printf("%u %s\n", length, at < length ? event + at + sizeof(key) - 1 : "-");
}

int main(int argc, char **argv)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int bytes = 4 << 20, fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	struct iovec iov[MESSAGES];
	struct mmsghdr messages[MESSAGES];
	int i, received;

	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);

	for (i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec){ buffers[i], BYTES };
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror("bare_reader");
		return 1;
	}
	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		poll(&poller, 1, -1);
		while ((received = recvmmsg(fd, messages, MESSAGES, 0, NULL)) > 0)
			for (i = 0; argc > 1 && i < received; i++)
				print_event(buffers[i], messages[i].msg_len);
	}
}
