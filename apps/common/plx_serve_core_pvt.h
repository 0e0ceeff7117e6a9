/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of an application core of `pollux serve`.
 */
#ifndef PLX_SERVE_CORE_PVT_H
#define PLX_SERVE_CORE_PVT_H

/* One of uthash's functions that falls through no switch, which clang refuses. */
#define HASH_FUNCTION(keyptr, keylen, hashv) HASH_OAT(keyptr, keylen, hashv)
#include <uthash.h>

#include "plx_serve_core.h"

/** What a request asks for. */
enum plx_serve_kind {
	PLX_SERVE_NOTHING = 0, /**< a response without body, or with the text in note */
	PLX_SERVE_FILE,
	PLX_SERVE_BYTES, /**< /stream-bytes/N */
	PLX_SERVE_ECHO,
	PLX_SERVE_DISCARD,
};

/** A send buffer on its way, and where its bytes come from. */
struct plx_serve_out {
	struct plx_sbuf sb; /* first: plx_sent_take() gives its address */
	struct plx_serve_req *req;
	struct plx_rbuf *echo;      /* released when the bytes are acknowledged */
	struct plx_serve_out *next; /* free list */
	uint8_t *mem; /* PLX_SERVE_BUF_SZ bytes, NULL for those that need none */
};

struct plx_serve_key {
	uint64_t conn;
	int64_t stream_id;
};

struct plx_serve_req {
	struct plx_serve_key key;
	UT_hash_handle hh;
	struct plx_serve_req *wait_next; /* queue for buffers or room in a command ring */
	struct plx_io_job job;
	uint64_t size;     /* bytes of the body to send */
	uint64_t read_off; /* bytes read or generated */
	uint64_t rx_bytes;
	struct plx_rbuf *rx_head, *rx_tail; /* echo: received, not yet on its way back */
	struct plx_serve_out *ready;        /* filled, waits for room in the command ring */
	uint16_t status;
	uint16_t out_cnt; /* buffers on their way */
	uint8_t kind;     /* enum plx_serve_kind */
	bool head_only;   /* HEAD */
	bool head_due;    /* the response waits to be sent */
	bool fin_due;     /* FIN without bytes waits to be sent */
	bool rx_fin;
	bool io_busy;
	bool waiting;  /* is in the wait queue */
	bool closed;   /* the stream is gone; freed when nothing is on its way */
	bool done;     /* the whole response was handed over */
	char note[32]; /* small body */
	const char *type;
};

struct plx_serve_core {
	struct plx_attach *attach;
	struct plx_io_pool *io;
	bool has_root;
	struct plx_io_client client;
	struct plx_serve_req *reqs; /* hash */
	struct plx_serve_req *wait_head, *wait_tail;
	struct plx_serve_out *free_bufs;  /* with mem */
	struct plx_serve_out *free_plain; /* without */
	struct plx_serve_out *all;
	uint8_t *mem;   /* of all buffers */
	uint8_t *bytes; /* PLX_SERVE_BUF_SZ times 0x57 */
	_Atomic uint64_t active;
	_Atomic bool stop;
	struct plx_serve_stats stats;
};

/** plx_serve_req.c: a request begins; head is valid during the call. */
void plx_serve_begin(struct plx_serve_core *c, const struct plx_event *ev,
                     const struct plx_h3_head *head);
/** Does what can be done for a request now; queues it when something is short. */
void plx_serve_pump(struct plx_serve_core *c, struct plx_serve_req *r);
/** A file job came back. */
void plx_serve_io_done(struct plx_serve_core *c, struct plx_serve_req *r);
/** A send buffer came back. */
void plx_serve_sent(struct plx_serve_core *c, struct plx_serve_out *o);
/** The stream is gone. */
void plx_serve_end(struct plx_serve_core *c, struct plx_serve_req *r);
/** Frees whatever a request still holds; at the end of the core. */
void plx_serve_drop(struct plx_serve_core *c, struct plx_serve_req *r);

#endif
