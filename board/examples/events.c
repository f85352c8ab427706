/* Prints events: events [PATH [REQUEST]], such as events /run/sureplug/events SUBSYSTEM=usb */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", argc > 1 ? argv[1] : "/run/sureplug/events");
    const char *request = argc > 2 ? argv[2] : "SNAPSHOT=yes";
    char packet[4097];
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at))
        return perror(at.sun_path), 1;
    send(fd, request, strlen(request), MSG_NOSIGNAL); /* if it fails, the first packet states the reason */
    for (ssize_t length; (length = recv(fd, packet, 4096, 0)) > 0; fflush(stdout))
        puts(packet); /* up to the first NUL: action@devpath; then KEY=value */
    return 0;
}
