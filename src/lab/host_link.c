/* SPDX-License-Identifier: MIT */
/*
 * host_link.c - wires, addresses, routes and neighbours of the hosts, over rtnetlink(7).
 *
 * Each request is one message and its acknowledgement, on a socket of the host that it is about.
 */
#include "lab/host_inside.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REQUEST_BYTES 1024 /* the largest here has some 200 */
#define ANSWER_BYTES 8192  /* what libmnl advises for a message of any kind */

/* Indexes of a wire's two ends: not the same, see lai_host_link_make(). */
#define INDEX_NEAR 10
#define INDEX_FAR 20

#define WAIT_NS (5 * LAI_S) /* for what the kernel does within a millisecond */
#define TICK_MS 1

/* A request while it is written. */
struct request {
	_Alignas(struct nlmsghdr) char bytes[REQUEST_BYTES];
	struct nlmsghdr *head;
};

/* Returns its fixed part, zeroed. */
static void *request_init(struct request *request, uint16_t type, uint16_t flags, size_t fixed)
{
	request->head = mnl_nlmsg_put_header(request->bytes);
	request->head->nlmsg_type = type;
	request->head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->head->nlmsg_seq = 1;
	return mnl_nlmsg_put_extra_header(request->head, fixed);
}

/*
 * Sends it from the namespace the thread is in; the answer, if it is not an acknowledgement, goes
 * to each(). 0 or negative errno.
 */
static int request_send(const struct request *request, mnl_cb_t each, void *arg)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	int result = -EIO;
	ssize_t size;

	if (!sock)
		return -errno;
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(sock, request->head, request->head->nlmsg_len) < 0) {
		result = -errno;
		goto out;
	}
	size = mnl_socket_recvfrom(sock, answer, sizeof(answer));
	if (size < 0 ||
	    mnl_cb_run(answer, (size_t)size, 1, mnl_socket_get_portid(sock), each, arg) < 0)
		result = -errno;
	else
		result = 0;
out:
	(void)mnl_socket_close(sock);
	return result;
}

/* -ENODEV and the like of "veth" mean that the kernel was built without it. */
static bool means_lacks(int error)
{
	return error == -EOPNOTSUPP || error == -EPERM || error == -EPROTONOSUPPORT;
}

static void request_do(struct lai_trial *trial, struct request *request, const char *what)
{
	int error;

	request->head->nlmsg_flags |= NLM_F_ACK;
	error = request_send(request, NULL, NULL);
	if (means_lacks(error))
		lai_trial_lacks(trial, "%s: %s", what, strerror(-error));
	if (error < 0)
		lai_trial_fail(trial, "%s: %s", what, strerror(-error));
}

/* A socket for what devices are asked by ioctl. */
static int ioctl_socket(struct lai_trial *trial)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		lai_trial_fail(trial, "a socket for a device: %s", strerror(errno));
	return sock;
}

void lai_host_link_raise(struct lai_trial *trial, const char *name)
{
	struct ifreq request = {0};
	int sock = ioctl_socket(trial);

	memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(sock, SIOCGIFFLAGS, &request) < 0)
		lai_trial_fail(trial, "the flags of %s: %s", name, strerror(errno));
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(sock, SIOCSIFFLAGS, &request) < 0)
		lai_trial_fail(trial, "%s does not go up: %s", name, strerror(errno));
	(void)close(sock);
}

/*
 * No sums and no segments left to a device that is none: otherwise a capture shows segments of
 * 64 KB with sums that nobody has filled in.
 */
static void offloads_off(struct lai_trial *trial, const char *name)
{
	static const uint32_t commands[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO,
					    ETHTOOL_STXCSUM};
	int sock = ioctl_socket(trial);

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		struct ethtool_value value = {.cmd = commands[i], .data = 0};
		struct ifreq request = {.ifr_data = (char *)&value};

		memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
		/* A kernel that cannot change one of them has it fixed to off, or says so in the
		   capture. */
		if (ioctl(sock, SIOCETHTOOL, &request) < 0 && errno != EOPNOTSUPP)
			lai_trial_fail(trial, "offloading on %s: %s", name, strerror(errno));
	}
	(void)close(sock);
}

static void port_finish(struct lai_trial *trial, const struct lai_wire_end *end)
{
	struct lai_host_port *port = &end->host->ports[end->port];

	lai_host_enter(trial, end->host);
	port->index = (int)if_nametoindex(port->name);
	if (!port->index)
		lai_trial_fail(trial, "the wire's end in the %s is not there: %s", end->host->name,
			       strerror(errno));
	offloads_off(trial, port->name);
}

static void put_device(struct nlmsghdr *head, struct ifinfomsg *message, unsigned index,
		       const struct lai_host_port *port)
{
	message->ifi_index = (int)(index + port->wire);
	mnl_attr_put_strz(head, IFLA_IFNAME, port->name);
	mnl_attr_put(head, IFLA_ADDRESS, sizeof(port->mac), port->mac);
}

/*
 * The indexes differ since Linux tells of a device's carrier at once only if it belongs to a device
 * of another index (linkwatch_urgent_event() in net/core/link_watch.c); of others once a second.
 */
void lai_host_link_make(struct lai_trial *trial, const struct lai_wire_end *near,
			const struct lai_wire_end *far)
{
	struct nlattr *information, *data, *peer;
	struct ifinfomsg *message;
	struct request request;

	lai_host_enter(trial, near->host);
	message = request_init(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*message));
	put_device(request.head, message, INDEX_NEAR, &near->host->ports[near->port]);
	information = mnl_attr_nest_start(request.head, IFLA_LINKINFO);
	mnl_attr_put_strz(request.head, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(request.head, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(request.head, VETH_INFO_PEER);
	message = mnl_nlmsg_put_extra_header(request.head, sizeof(*message));
	put_device(request.head, message, INDEX_FAR, &far->host->ports[far->port]);
	mnl_attr_put_u32(request.head, IFLA_NET_NS_FD, (uint32_t)far->host->netns);
	mnl_attr_nest_end(request.head, peer);
	mnl_attr_nest_end(request.head, data);
	mnl_attr_nest_end(request.head, information);
	request_do(trial, &request, "a pair of virtual Ethernet devices");
	port_finish(trial, near);
	port_finish(trial, far);
}

/* IFF_RUNNING follows both ends' going up from a work queue of the kernel's. */
void lai_host_link_await(struct lai_trial *trial, const struct lai_host *host, unsigned port)
{
	uint64_t deadline_ns = lai_clock_now() + WAIT_NS;
	struct ifreq request = {0};
	int sock;

	lai_host_enter(trial, host);
	sock = ioctl_socket(trial);
	memcpy(request.ifr_name, host->ports[port].name, IFNAMSIZ);
	while (ioctl(sock, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_RUNNING)) {
		if (lai_clock_now() > deadline_ns)
			lai_trial_fail(trial, "the %s's wire does not go up", host->name);
		(void)poll(NULL, 0, TICK_MS);
	}
	(void)close(sock);
}

static void put_address(struct nlmsghdr *head, uint16_t type, const struct lai_address *address)
{
	if (lai_address_family(address) == AF_INET6)
		mnl_attr_put(head, type, sizeof(address->v6.sin6_addr), &address->v6.sin6_addr);
	else
		mnl_attr_put(head, type, sizeof(address->v4.sin_addr), &address->v4.sin_addr);
}

static int route_each(const struct nlmsghdr *head, void *arg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(head);

	if (head->nlmsg_type == RTM_NEWROUTE)
		*(bool *)arg = route->rtm_type == RTN_LOCAL;
	return MNL_CB_OK;
}

/* A packet to this address would be taken in. */
static bool is_local(const struct lai_address *address)
{
	struct request request;
	struct rtmsg *route = request_init(&request, RTM_GETROUTE, 0, sizeof(*route));
	bool local = false;

	route->rtm_family = (uint8_t)lai_address_family(address);
	route->rtm_dst_len = route->rtm_family == AF_INET6 ? 128 : 32;
	put_address(request.head, RTA_DST, address);
	return request_send(&request, route_each, &local) == 0 && local;
}

void lai_host_link_add_address(struct lai_trial *trial, const struct lai_host *host, unsigned port,
			       const struct lai_address *address)
{
	uint64_t deadline_ns = lai_clock_now() + WAIT_NS;
	struct request request;
	struct ifaddrmsg *message =
		request_init(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*message));
	bool v6 = lai_address_family(address) == AF_INET6;

	message->ifa_family = (uint8_t)lai_address_family(address);
	message->ifa_prefixlen = v6 ? LAI_WIRE_PREFIX_V6 : LAI_WIRE_PREFIX_V4;
	message->ifa_flags = v6 ? IFA_F_NODAD : 0;
	message->ifa_index = (unsigned)host->ports[port].index;
	put_address(request.head, IFA_LOCAL, address);
	put_address(request.head, IFA_ADDRESS, address);
	lai_host_enter(trial, host);
	request_do(trial, &request, "an address");
	/* IPv6 puts the route to itself in from a work queue. */
	while (!is_local(address)) {
		if (lai_clock_now() > deadline_ns)
			lai_trial_fail(trial, "the %s's address is not taken in", host->name);
		(void)poll(NULL, 0, TICK_MS);
	}
}

void lai_host_link_add_route(struct lai_trial *trial, const struct lai_host *host, unsigned port,
			     const struct lai_address *gateway)
{
	struct request request;
	struct rtmsg *message =
		request_init(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*message));

	message->rtm_family = (uint8_t)lai_address_family(gateway);
	message->rtm_table = RT_TABLE_MAIN;
	message->rtm_protocol = RTPROT_STATIC;
	message->rtm_scope = RT_SCOPE_UNIVERSE;
	message->rtm_type = RTN_UNICAST;
	put_address(request.head, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(request.head, RTA_OIF, (uint32_t)host->ports[port].index);
	lai_host_enter(trial, host);
	request_do(trial, &request, "a route");
}

void lai_host_link_add_neighbour(struct lai_trial *trial, const struct lai_host *host,
				 unsigned port, const struct lai_address *address,
				 const uint8_t mac[6])
{
	struct request request;
	struct ndmsg *message = request_init(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
					     sizeof(*message));

	message->ndm_family = (uint8_t)lai_address_family(address);
	message->ndm_ifindex = host->ports[port].index;
	message->ndm_state = NUD_PERMANENT;
	put_address(request.head, NDA_DST, address);
	mnl_attr_put(request.head, NDA_LLADDR, 6, mac);
	lai_host_enter(trial, host);
	request_do(trial, &request, "a neighbour");
}
