/* SPDX-License-Identifier: BSD-3-Clause */
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plx_ethdev_pvt.h"

/** Bits collected and their lines. */
struct hints {
	uint32_t bits;
	char *text;
	size_t sz, len;
};

static void PLX_PRINTF(3, 4) hint(struct hints *h, uint32_t bit, const char *fmt, ...)
{
	va_list ap;
	int n;

	h->bits |= bit;
	if (h->len + 1 >= h->sz)
		return;
	va_start(ap, fmt);
	n = vsnprintf(h->text + h->len, h->sz - h->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		h->len = RTE_MIN(h->len + (size_t)n, h->sz - 1);
}

/** One on/off value of ethtool. @return -1 when it cannot be read */
static int
ethtool_get(int fd, const char *iface, uint32_t cmd)
{
	struct ethtool_value v = {.cmd = cmd};
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = (void *)&v;
	return ioctl(fd, SIOCETHTOOL, &ifr) == 0 ? v.data != 0 : -1;
}

static bool
driver_of(int fd, const char *iface, char *name, size_t sz)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = (void *)&info;
	if (ioctl(fd, SIOCETHTOOL, &ifr) != 0)
		return false;
	snprintf(name, sz, "%s", info.driver);
	return true;
}

/** What rtnetlink says of a device. Not from /sys, which may belong to another namespace. */
struct peer {
	uint32_t link;  /**< index of the far end of a veth, 0 = none */
	bool elsewhere; /**< in another namespace */
};

static void
read_peer(struct nlmsghdr *nh, struct peer *p)
{
	struct ifinfomsg *info = NLMSG_DATA(nh);
	struct rtattr *a = IFLA_RTA(info);
	size_t len = IFLA_PAYLOAD(nh);

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_LINK)
			memcpy(&p->link, RTA_DATA(a), sizeof(p->link));
		if (a->rta_type == IFLA_LINK_NETNSID)
			p->elsewhere = true;
	}
}

static struct peer
peer_of(const char *iface)
{
	struct {
		struct nlmsghdr nh;
		struct ifinfomsg info;
	} req = {
	        .nh = {.nlmsg_len = sizeof(req),
	               .nlmsg_type = RTM_GETLINK,
	               .nlmsg_flags = NLM_F_REQUEST},
	        .info = {.ifi_index = (int)if_nametoindex(iface)},
	};
	_Alignas(struct nlmsghdr) char buf[16384];
	struct nlmsghdr *nh = (struct nlmsghdr *)(void *)buf;
	struct peer p = {0};
	ssize_t n;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return p;
	if (send(fd, &req, sizeof(req), 0) == (ssize_t)sizeof(req)) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n > 0 && NLMSG_OK(nh, (size_t)n) && nh->nlmsg_type == RTM_NEWLINK)
			read_peer(nh, &p);
	}
	close(fd);
	return p;
}

/**
 * The device through which the kernel sends what our port receives: the other end of a veth, the
 * device itself for a tap. @return false when there is none to look at
 */
static bool
sender_of(struct hints *h, int fd, const char *iface, char *sender)
{
	char driver[32] = "";
	struct peer peer;

	if (!driver_of(fd, iface, driver, sizeof(driver)))
		return false;
	if (strcmp(driver, "tun") == 0) {
		snprintf(sender, IF_NAMESIZE, "%s", iface);
		return true;
	}
	if (strcmp(driver, "veth") != 0)
		return false;
	peer = peer_of(iface);
	if (!peer.elsewhere && peer.link != 0 && if_indextoname(peer.link, sender) != NULL)
		return true;
	hint(h, PLX_HINT_PEER_HIDDEN,
	     "the other end of %s is in another network namespace: run `ethtool -K <it> tx off gso "
	     "off tso off` there\n",
	     iface);
	return false;
}

static void
look_at_sender(struct hints *h, int fd, const char *sender)
{
	if (ethtool_get(fd, sender, ETHTOOL_GTXCSUM) == 1)
		hint(h, PLX_HINT_TX_CKSUM,
		     "%s leaves UDP checksums to a device that does not exist, so its datagrams "
		     "arrive with wrong ones: run `ethtool -K %s tx off`\n",
		     sender, sender);
	if (ethtool_get(fd, sender, ETHTOOL_GGSO) == 1)
		hint(h, PLX_HINT_GSO,
		     "%s sends several datagrams in one frame of up to 64 kB, which is dropped: run "
		     "`ethtool -K %s gso off tso off`\n",
		     sender, sender);
}

static void
look_at_addresses(struct hints *h, const char *iface)
{
	struct ifaddrs *list, *a;
	bool four = false, six = false;

	if (getifaddrs(&list) != 0)
		return;
	for (a = list; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr == NULL || strcmp(a->ifa_name, iface) != 0)
			continue;
		if (a->ifa_addr->sa_family == AF_INET)
			four = true;
		if (a->ifa_addr->sa_family == AF_INET6 &&
		    !IN6_IS_ADDR_LINKLOCAL(
		            &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)
		                     ->sin6_addr))
			six = true;
	}
	freeifaddrs(list);
	if (four || six)
		hint(h, (four ? PLX_HINT_ADDR4 : 0) | (six ? PLX_HINT_ADDR6 : 0),
		     "the kernel holds an address on %s and answers for itself; the engine must not "
		     "use the same one: run `ip addr flush dev %s`\n",
		     iface, iface);
}

uint32_t
plx_ethdev_hints(const char *iface, char *text, size_t sz)
{
	struct hints h = {.text = text, .sz = sz};
	char sender[IF_NAMESIZE];
	struct ifreq ifr = {0};
	int fd;

	text[0] = '\0';
	if (if_nametoindex(iface) == 0) {
		hint(&h, PLX_HINT_NO_IFACE,
		     "there is no network device %s in this network namespace; `ip link` lists "
		     "those that exist\n",
		     iface);
		return h.bits;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) == 0)
		hint(&h, PLX_HINT_DOWN, "%s is down: run `ip link set %s up`\n", iface,
		     iface);
	if (sender_of(&h, fd, iface, sender))
		look_at_sender(&h, fd, sender);
	if (ethtool_get(fd, iface, ETHTOOL_GGRO) == 1)
		hint(&h, PLX_HINT_GRO,
		     "%s may merge received datagrams: run `ethtool -K %s gro off`\n",
		     iface, iface);
	look_at_addresses(&h, iface);
	close(fd);
	return h.bits;
}

uint32_t
plx_ethdev_iface_rxq(const char *iface)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t cnt = 0;

	if (fd < 0)
		return 0;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = (void *)&ch;
	if (ioctl(fd, SIOCETHTOOL, &ifr) == 0)
		cnt = ch.rx_count + ch.combined_count;
	close(fd);
	return cnt;
}
