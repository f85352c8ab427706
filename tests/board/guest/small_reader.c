/* The application that Sureplug exists for: it has copied SO_RCVBUF 1024 from an example, reads one event at a time, and
 * works 10 ms on each. It prints the results of recv(2), and ends on SIGTERM. */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int bytes = 1024, fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
	char buffer[4096];

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror("small_reader");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("listening");
	for (;;) {
		ssize_t length = recv(fd, buffer, sizeof(buffer), 0);
		if (length >= 0) {
			usleep(10000);
			puts("event");
		} else {
			printf("errno %d\n", errno);
		}
	}
}
