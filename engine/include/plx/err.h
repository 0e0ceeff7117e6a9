/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Errors: one list gives the name, the value and the sentence.
 *
 * Functions that can fail return 0 (or a count) or a negative enum plx_err. Codes of other
 * libraries are translated in the glue file of that library and nowhere else.
 *
 * Threads: any.
 */
#ifndef PLX_ERR_H
#define PLX_ERR_H

#include <plx/defs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
#define PLX_ERR_LIST(X)                                                                       \
	X(INVAL,          1, "invalid argument")                                              \
	X(NOMEM,          2, "out of memory")                                                 \
	X(FULL,           3, "the queue is full; the message was handed back")                \
	X(AGAIN,          4, "nothing to do now; call again later")                           \
	X(NOENT,          5, "no such object")                                                \
	X(EXIST,          6, "it exists already")                                             \
	X(PERM,           7, "not permitted")                                                 \
	X(IO,             8, "input/output error")                                            \
	X(CONFIG,         9, "the configuration was refused")                                 \
	X(DEVICE,        10, "the port could not be used")                                    \
	X(UNSUPPORTED,   11, "not supported here")                                            \
	X(TLS,           12, "TLS failed")                                                    \
	X(CERT,          13, "the certificate or key could not be used")                      \
	X(PROTO,         14, "the peer broke the protocol")                                   \
	X(CLOSED,        15, "the connection is closed")                                      \
	X(CLOSING,       16, "the connection is closing")                                     \
	X(STALE,         17, "the handle belongs to an object that is gone")                  \
	X(STREAM_LIMIT,  18, "the peer's stream limit is reached")                            \
	X(STREAM_CLOSED, 19, "the stream is finished or reset")                               \
	X(STREAM_STOPPED,20, "the peer asked to stop sending on the stream")                  \
	X(BLOCKED,       21, "flow control or congestion control blocks the send")            \
	X(TIMEOUT,       22, "timed out")                                                     \
	X(REFUSED,       23, "refused")                                                       \
	X(TOO_LARGE,     24, "too large")                                                     \
	X(DISABLED,      25, "disabled by the configuration")                                 \
	X(CRYPTO,        26, "packet protection failed")                                      \
	X(H3,            27, "HTTP/3 error")                                                  \
	X(INTERRUPTED,   28, "interrupted")                                                   \
	X(BUG,           29, "internal error")                                                \
	X(STREAM_RESET,  30, "the peer reset the stream")
/* clang-format on */

enum plx_err {
	PLX_OK = 0,
#define PLX_ERR_ENUM(name, val, text) PLX_E_##name = -(val),
	PLX_ERR_LIST(PLX_ERR_ENUM)
#undef PLX_ERR_ENUM
};

/**
 * plx_strerror() gives the sentence of an error.
 *
 * @param err  0 or a negative enum plx_err; anything else gives "unknown error"
 * @return a constant string, never NULL
 *
 * Thread: any.
 * Owns:   nothing; the string lives as long as the program.
 * Errors: none.
 */
PLX_API const char *plx_strerror(int err) PLX_ANY_THREAD;

/**
 * plx_errname() gives the name of an error, "PLX_E_NOMEM" for PLX_E_NOMEM.
 *
 * Thread: any.
 * Owns:   nothing; the string lives as long as the program.
 * Errors: none; "PLX_E_?" for a value outside the list, "PLX_OK" for 0.
 */
PLX_API const char *plx_errname(int err) PLX_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
