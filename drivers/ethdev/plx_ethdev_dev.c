/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <plx/err.h>

#include <rte_dev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "plx_ethdev_pvt.h"

/* AF_XDP fills a ring of 4096 frames per queue whatever the descriptors say. */
#define AF_XDP_FILL    4096
/** Rings that net_ring makes for a port, at most. */
#define RING_PMD_RINGS 16

static const struct plx_ethdev_quirk quirks[] = {
        {"net_ring", "the peer's queue", 0, false, "net_ring0"},
        {"net_memif", "the peer's queue", 0, false,
         "net_memif0,role=client,socket=/run/memif.sock"},
        {"net_vhost", "the peer's queue", 0, false, "net_vhost0,iface=/run/vhost.sock"},
        {"net_virtio_user", "the peer's queue", 0, false,
         "net_virtio_user0,path=/run/vhost.sock"},
        {"net_af_packet", "the kernel, with rollover", 0, true,
         "net_af_packet0,iface=eth0"},
        {"net_af_xdp", "the network device", AF_XDP_FILL, true, "net_af_xdp0,iface=eth0"},
        {"net_tap", "the kernel", 0, false, "net_tap0,iface=tap0"},
        {"net_pcap", "the file or device", 0, false, "net_pcap0,iface=eth0"},
        /* Claims a table and a key, and reads its own zeros on every queue. */
        {"net_null", "the driver", 0, false, "net_null0"},
};

const struct plx_ethdev_quirk *
plx_ethdev_quirk(const char *driver)
{
	static const struct plx_ethdev_quirk none = {"", NULL, 0, false, ""};

	for (size_t i = 0; driver != NULL && i < RTE_DIM(quirks); i++)
		if (strcmp(quirks[i].driver, driver) == 0)
			return &quirks[i];
	return &none;
}

/** Copies the value of key= out of "name,key=value,...". */
static bool
arg_value(const char *spec, const char *key, char *value, size_t sz)
{
	size_t key_len = strlen(key), len;
	const char *s = strchr(spec, ',');

	while (s != NULL) {
		s++;
		if (strncmp(s, key, key_len) == 0 && s[key_len] == '=') {
			s += key_len + 1;
			len = strcspn(s, ",");
			if (len == 0 || len >= sz)
				return false;
			memcpy(value, s, len);
			value[len] = '\0';
			return true;
		}
		s = strchr(s, ',');
	}
	return false;
}

bool
plx_ethdev_iface_of(const char *device, char *iface, size_t sz)
{
	return arg_value(device, "iface", iface, sz);
}

/**
 * A memif server that was killed leaves its socket file, and the next one cannot bind. Removes
 * the file when nobody listens behind it.
 */
static void
clear_stale_socket(const char *spec)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char value[sizeof(sa.sun_path)];
	int fd;

	if (strncmp(spec, "net_memif", strlen("net_memif")) != 0 ||
	    !arg_value(spec, "role", value, sizeof(value)) ||
	    strcmp(value, "server") != 0 ||
	    !arg_value(spec, "socket-abstract", value, sizeof(value)) ||
	    strcmp(value, "no") != 0 || !arg_value(spec, "socket", value, sizeof(value)))
		return;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(sa.sun_path, value, sizeof(value));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 &&
	    errno == ECONNREFUSED)
		unlink(value);
	close(fd);
}

/** "the ports are net_ring0, net_null0" or "there are no ports". */
static const char *
list_ports(char *buf, size_t sz)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t len = 0;
	uint16_t port;

	snprintf(buf, sz, "no port was probed");
	RTE_ETH_FOREACH_DEV (port) {
		if (rte_eth_dev_get_name_by_port(port, name) != 0 || len >= sz)
			continue;
		len += (size_t)snprintf(buf + len, sz - len, "%s%s",
		                        len == 0 ? "the ports are " : ", ", name);
	}
	return buf;
}

static int
unknown(const char *spec, struct plx_ethdev_err *e)
{
	char ports[512];

	return plx_ethdev_fail(
	        e, PLX_E_NOENT,
	        "there is no port '%s' (%s): name one of them, a virtual device "
	        "such as net_af_packet0,iface=eth0, or the PCI address of a device "
	        "bound to vfio-pci (dpdk-devbind.py --status shows them)",
	        spec, list_ports(ports, sizeof(ports)));
}

static bool
is_virtual(const char *name)
{
	return strncmp(name, "net_", 4) == 0 || strncmp(name, "eth_", 4) == 0 ||
	       strncmp(name, "virtio_user", strlen("virtio_user")) == 0;
}

static const struct plx_ethdev_quirk *
quirk_of_name(const char *name)
{
	for (size_t i = 0; i < RTE_DIM(quirks); i++)
		if (strncmp(name, quirks[i].driver, strlen(quirks[i].driver)) == 0)
			return &quirks[i];
	return NULL;
}

/** The sentence for a virtual device that could not be made. */
static int
explain_virtual(const char *name, const char *spec, int rc, struct plx_ethdev_err *e)
{
	const struct plx_ethdev_quirk *q = quirk_of_name(name);
	char iface[64];

	if (plx_ethdev_iface_of(spec, iface, sizeof(iface)) && q != NULL &&
	    strcmp(q->driver, "net_tap") != 0 && strcmp(q->driver, "net_vhost") != 0 &&
	    if_nametoindex(iface) == 0)
		return plx_ethdev_fail(
		        e, PLX_E_NOENT,
		        "'%s': there is no network device '%s' in this network "
		        "namespace; `ip link` lists those that exist",
		        spec, iface);
	if (geteuid() != 0 && q != NULL &&
	    (strcmp(q->driver, "net_af_packet") == 0 ||
	     strcmp(q->driver, "net_af_xdp") == 0 || strcmp(q->driver, "net_tap") == 0))
		return plx_ethdev_fail(
		        e, PLX_E_PERM,
		        "'%s' could not be made: %s needs CAP_NET_RAW and "
		        "CAP_NET_ADMIN; run as root or give the program these rights",
		        spec, q->driver);
	if (q == NULL)
		return plx_ethdev_fail(
		        e, PLX_E_NOENT,
		        "no driver makes '%s'; known virtual devices are net_ring, "
		        "net_memif, net_af_packet, net_af_xdp, net_tap, net_vhost, "
		        "net_virtio_user, net_pcap and net_null, each in its package "
		        "librte-net-*",
		        spec);
	return plx_ethdev_fail(
	        e, PLX_E_DEVICE,
	        "'%s' could not be made (%s): check its arguments, for example "
	        "%s; the driver is in the package librte-%.3s-%s25",
	        spec, strerror(rc < 0 ? -rc : rc), q->example, q->driver, q->driver + 4);
}

static int
make_virtual(struct plx_ethdev_dev *d, const char *name, const char *spec,
             struct plx_ethdev_err *e)
{
	const char *args = strchr(spec, ',');
	int rc;

	clear_stale_socket(spec);
	rc = rte_eal_hotplug_add("vdev", name, args != NULL ? args + 1 : "");
	if (rc != 0)
		return explain_virtual(name, spec, rc, e);
	if (rte_eth_dev_get_port_by_name(name, &d->port_id) != 0) {
		rte_eal_hotplug_remove("vdev", name);
		return plx_ethdev_fail(e, PLX_E_DEVICE, "'%s' is not a network device",
		                       spec);
	}
	d->probed = true;
	return 0;
}

static int
probe_pci(struct plx_ethdev_dev *d, const char *spec, struct plx_ethdev_err *e)
{
	if (rte_dev_probe(spec) != 0 ||
	    rte_eth_dev_get_port_by_name(spec, &d->port_id) != 0)
		return plx_ethdev_fail(
		        e, PLX_E_NOENT,
		        "no driver took the PCI device '%s'; bind it with "
		        "`dpdk-devbind.py --bind=vfio-pci %s`, and start without "
		        "--no-pci",
		        spec, spec);
	d->probed = true;
	return 0;
}

/** A name alone: a port that is there already. */
static int
find_existing(struct plx_ethdev_dev *d, const char *spec)
{
	char *end;
	unsigned long id = strtoul(spec, &end, 10);

	if (*end == '\0' && id < RTE_MAX_ETHPORTS &&
	    rte_eth_dev_is_valid_port((uint16_t)id)) {
		d->port_id = (uint16_t)id;
		return 0;
	}
	return rte_eth_dev_get_port_by_name(spec, &d->port_id);
}

int
plx_ethdev_find(struct plx_ethdev_dev *d, const char *spec, struct plx_ethdev_err *e)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t len = strcspn(spec, ",");
	int rc = 0;

	if (len >= sizeof(name))
		return plx_ethdev_fail(e, PLX_E_INVAL,
		                       "the name of device '%s' is too long", spec);
	memcpy(name, spec, len);
	name[len] = '\0';
	if (find_existing(d, name) == 0) {
		if (spec[len] != '\0')
			return plx_ethdev_fail(
			        e, PLX_E_EXIST,
			        "there is a port '%s' already: leave its arguments "
			        "out to use it, or choose another name",
			        name);
	} else if (is_virtual(name)) {
		rc = make_virtual(d, name, spec, e);
	} else if (strchr(name, ':') != NULL && strchr(name, '.') != NULL) {
		rc = probe_pci(d, spec, e);
	} else {
		rc = unknown(spec, e);
	}
	if (rc != 0)
		return rc;
	if (rte_eth_dev_get_name_by_port(d->port_id, d->name) != 0 ||
	    rte_eth_dev_info_get(d->port_id, &d->info) != 0)
		return plx_ethdev_fail(e, PLX_E_DEVICE,
		                       "port '%s' tells nothing about itself", name);
	d->quirk = plx_ethdev_quirk(d->info.driver_name);
	if (!d->quirk->kernel_link ||
	    !plx_ethdev_iface_of(spec, d->iface, sizeof(d->iface)))
		d->iface[0] = '\0';
	return 0;
}

/** Frames that nobody received: a ring port has no other owner for them. */
static void
drain(const struct plx_ethdev_dev *d)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	uint16_t n;

	for (uint16_t q = 0; q < d->rxq; q++)
		while ((n = rte_eth_rx_burst(d->port_id, q, m, PLX_BURST_MAX)) != 0)
			rte_pktmbuf_free_bulk(m, n);
}

/**
 * net_ring makes sixteen rings and frees as many as there are queues; the next port of that name
 * would find the rest, with what is in them.
 */
static void
free_rings(const char *port)
{
	char name[RTE_ETH_NAME_MAX_LEN + 16];
	struct rte_ring *r;

	for (unsigned i = 0; i < RING_PMD_RINGS; i++) {
		snprintf(name, sizeof(name), "ETH_RXTX%u_%s", i, port);
		r = rte_ring_lookup(name);
		if (r != NULL)
			rte_ring_free(r);
	}
}

/**
 * Both ends of a memif take the connection down when one closes, and the driver frees the same
 * things in the interrupt thread and in the caller's without a lock. Where both ends are in this
 * process the one closed second must find the thread done.
 */
static void
settle(void)
{
	const struct timespec grace = {.tv_nsec = 20 * (long)PLX_NS_PER_MS};

	nanosleep(&grace, NULL);
}

void
plx_ethdev_remove(struct plx_ethdev_dev *d)
{
	struct rte_device *device = d->info.device;
	bool ring = d->quirk != NULL && strcmp(d->quirk->driver, "net_ring") == 0;
	bool memif = d->quirk != NULL && strcmp(d->quirk->driver, "net_memif") == 0;

	if (d->port_id == RTE_MAX_ETHPORTS)
		return;
	if (memif)
		settle();
	if (d->started && ring)
		drain(d);
	if (d->started)
		rte_eth_dev_stop(d->port_id);
	/* Removing a device that was probed here closes its port too. */
	if (d->probed && device != NULL) {
		rte_dev_remove(device);
		if (ring)
			free_rings(d->name);
	} else if (d->configured) {
		rte_eth_dev_close(d->port_id);
	}
	if (memif)
		settle();
	d->port_id = RTE_MAX_ETHPORTS;
}
