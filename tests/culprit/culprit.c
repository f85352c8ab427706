/* A copied netlink example as in countless applications, with a receive buffer of 1024 bytes. The kernel silently raises
 * it a little, and the events of one USB plug do not fit. */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_nl address;
    char message[4096];
    int bytes = 1024;
    int fd = socket(PF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);

    memset(&address, 0, sizeof address);
    address.nl_family = AF_NETLINK;
    address.nl_pid = getpid();
    address.nl_groups = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("culprit");
        return 1;
    }
    puts("listening");
    fflush(stdout);
    for (;;) {
        ssize_t length = recv(fd, message, sizeof message - 1, 0);

        if (length < 0) {
            printf("recv: errno %d\n", errno);
        } else {
            message[length] = '\0';
            printf("%s\n", message);
        }
        fflush(stdout);
    }
}
